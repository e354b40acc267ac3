/** What the tests of `prices` share: a database, a sandbox in which only the test sells, and the services on both. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Context, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { EsiMarkets } from "../../src/esi/EsiMarkets.ts"
import { JobQueue } from "../../src/jobs/JobQueue.ts"
import { EveRef } from "../../src/prices/EveRef.ts"
import type { Options } from "../../src/prices/ImportPrices.ts"
import { Settings } from "../../src/Settings.ts"
import * as Database from "../../src/store/Database.ts"
import { PriceImports } from "../../src/store/PriceImports.ts"
import { RateLimits } from "../../src/store/RateLimits.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

export const tritanium = 34
export const rifter = 587

/** A world of its own; `settings` go before the sandbox's. */
export const makeWorld = Effect.fnUntraced(function*(settings: Readonly<Record<string, string>> = {}) {
  const sandbox = yield* manualSandbox()
  const { url } = yield* migratedDatabase
  const services = yield* Layer.build(
    Layer.mergeAll(EveRef.layer, EsiMarkets.layer, JobQueue.layer).pipe(
      Layer.provideMerge(Layer.merge(PriceImports.layer, RateLimits.layer)),
      Layer.provideMerge(Database.layer(Redacted.make(url))),
      Layer.provide(NodeHttpClient.layerUndici),
      Layer.provide(Settings.layerFrom({
        KILLMAILD_CONTACT: "tests@localhost",
        KILLMAILD_SCHEDULE_SPEED: "100",
        ...sandbox.environment,
        ...settings
      }))
    )
  )
  const sql = Context.get(services, SqlClient.SqlClient)
  return {
    sandbox,
    sql,
    services,
    everef: Context.get(services, EveRef),
    markets: Context.get(services, EsiMarkets),
    imports: Context.get(services, PriceImports),
    /** Files that were asked for, by day: two are asked for at a time. */
    filesAsked: () =>
      sandbox.requests().flatMap(({ path, status }) =>
        path.endsWith(".csv.bz2") ? [`${path.slice(-18, -8)} ${status}`] : []
      ).toSorted(),
    pricesOf: (typeId: number) =>
      sql<{ readonly day: string; readonly average: number; readonly source: string }>`
        select day, average, source from prices where type_id = ${typeId} order by day`
  }
})

/** Says nothing and never waits. */
export const impatient: Options = { onProgress: () => Effect.void, onPause: Effect.fail }
