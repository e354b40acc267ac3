/** What the tests of the tables of prices share. */
import { Effect, Layer, Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../../src/store/Database.ts"
import { PriceImports } from "../../src/store/PriceImports.ts"
import { PriceStore } from "../../src/store/PriceStore.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"

/** Runs the test on a database of its own in which nothing has arrived. */
export const withPrices = <A, E>(
  test: (world: {
    readonly store: PriceStore["Service"]
    readonly imports: PriceImports["Service"]
    readonly sql: SqlClient.SqlClient
  }) => Effect.Effect<A, E, Scope.Scope | SqlClient.SqlClient>
) =>
  Effect.gen(function*() {
    const { url } = yield* migratedDatabase
    const services = yield* Layer.build(
      Layer.provideMerge(Layer.merge(PriceStore.layer, PriceImports.layer), Database.layer(Redacted.make(url)))
    )
    return yield* Effect.provide(
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`delete from price_arrivals`
        return yield* test({ store: yield* PriceStore, imports: yield* PriceImports, sql })
      }),
      services
    )
  })

export const dayOf = (day: string, prices: Readonly<Record<number, number>>) => ({
  day,
  typeIds: Int32Array.from(Object.keys(prices), Number),
  averages: Float64Array.from(Object.values(prices))
})
export const fromEveRef = (etag: string) => ({ etag, listed: `listed ${etag}` })
export const arrivalsOf = (sql: SqlClient.SqlClient) =>
  sql`select first_day as day, type_ids as types from price_arrivals order by id`

export const tritanium = 34
export const rifter = 587
export const molok = 42_241
