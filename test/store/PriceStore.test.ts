import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { wellKnownPrices } from "../../src/domain/WellKnownPrices.ts"
import * as Database from "../../src/store/Database.ts"
import { mostAverages, type PriceArrival, PriceStore, putWellKnownPrices } from "../../src/store/PriceStore.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"

const withPrices = <A, E>(
  test: (
    store: PriceStore["Service"],
    sql: SqlClient.SqlClient
  ) => Effect.Effect<A, E, Scope.Scope | SqlClient.SqlClient>
) =>
  Effect.gen(function*() {
    const { url } = yield* migratedDatabase
    const services = yield* Layer.build(Layer.provideMerge(PriceStore.layer, Database.layer(Redacted.make(url))))
    return yield* Effect.provide(
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`delete from price_arrivals`
        return yield* test(yield* PriceStore, sql)
      }),
      services
    )
  })

const dayOf = (day: string, prices: Readonly<Record<number, number>>) => ({
  day,
  typeIds: Int32Array.from(Object.keys(prices), Number),
  averages: Float64Array.from(Object.values(prices))
})
const fromEveRef = (etag: string) => ({ etag, listed: `listed ${etag}` })
const arrivalsOf = (sql: SqlClient.SqlClient) =>
  sql`select first_day as day, type_ids as types from price_arrivals order by id`

const tritanium = 34
const rifter = 587
const molok = 42_241

const taken = (store: PriceStore["Service"], most: number) =>
  Effect.gen(function*() {
    const all: Array<PriceArrival> = []
    yield* store.handArrivals(most, (arrivals) => Effect.sync(() => void all.push(...arrivals)))
    return all
  })

describe.concurrent("prices in the store", () => {
  it.live("are the newest on or before the day, newest first and at most as many as the rule smooths", () =>
    withPrices((store) =>
      Effect.gen(function*() {
        for (let day = 1; day <= 30; day++) {
          for (const month of ["01", "03"]) {
            const date = `2026-${month}-${String(day).padStart(2, "0")}`
            yield* store.importDay(dayOf(date, { [tritanium]: day }), fromEveRef(date))
          }
        }
        const [facts] = yield* store.factsFor([{ typeId: tritanium, day: "2026-03-10" }])
        assert.strictEqual(facts!.averages.length, mostAverages)
        assert.deepStrictEqual(facts!.averages[0], { day: "2026-03-10", average: 10, source: "everef" })
        assert.deepStrictEqual(facts!.averages[10], { day: "2026-01-30", average: 30, source: "everef" })
        assert.isUndefined(facts!.custom)
      })
    ))

  it.live("answer every need, those of unknown types with nothing", () =>
    withPrices((store) =>
      Effect.gen(function*() {
        yield* store.importDay(dayOf("2026-01-02", { [tritanium]: 5 }), fromEveRef("a"))
        const needs = [
          { typeId: tritanium, day: "2026-01-01" },
          { typeId: tritanium, day: "2026-01-02" },
          { typeId: rifter, day: "2026-01-02" }
        ]
        const facts = yield* store.factsFor(needs)
        assert.sameDeepMembers(facts.map(({ averages, typeId, day }) => [typeId, day, averages.length]), [
          [tritanium, "2026-01-01", 0],
          [tritanium, "2026-01-02", 1],
          [rifter, "2026-01-02", 0]
        ])
        assert.deepStrictEqual(yield* store.factsFor([]), [])
      })
    ))

  it.live("keep what is worth a cent and what is worth ten trillion to the cent", () =>
    withPrices((store) =>
      Effect.gen(function*() {
        const prices = { [tritanium]: 0.01, [rifter]: 12_345_678_901_234.56 }
        yield* store.importDay(dayOf("2026-01-02", prices), fromEveRef("a"))
        const facts = yield* store.factsFor([tritanium, rifter].map((typeId) => ({ typeId, day: "2026-01-02" })))
        assert.deepStrictEqual(facts.map(({ averages }) => averages[0]!.average), Object.values(prices))
      })
    ))

  it.live("are replaced by an edited file, and say which have changed", () =>
    withPrices((store, sql) =>
      Effect.gen(function*() {
        assert.strictEqual(
          yield* store.importDay(dayOf("2026-01-02", { [tritanium]: 5, [rifter]: 7 }), fromEveRef("a")),
          2
        )
        assert.strictEqual(
          yield* store.importDay(dayOf("2026-01-02", { [tritanium]: 5, [rifter]: 8, 35: 1 }), fromEveRef("b")),
          2
        )
        assert.deepStrictEqual(yield* arrivalsOf(sql), [
          { day: "2026-01-02", types: null },
          { day: "2026-01-02", types: [35, rifter] }
        ])
        assert.deepStrictEqual(
          yield* store.importedDays("2026-01-01", "2026-01-31"),
          new Map([["2026-01-02", fromEveRef("b")]])
        )
      })
    ))

  it.live("do not arrive again with the same file", () =>
    withPrices((store, sql) =>
      Effect.gen(function*() {
        const day = dayOf("2026-01-02", { [tritanium]: 5 })
        yield* store.importDay(day, fromEveRef("a"))
        const version = yield* store.version
        assert.strictEqual(yield* store.importDay(day, fromEveRef("a")), 0)
        assert.strictEqual(yield* store.version, version)
        assert.strictEqual((yield* arrivalsOf(sql)).length, 1)
      })
    ))

  it.live("from ESI fill gaps, and give way to EVE Ref's", () =>
    withPrices((store, sql) =>
      Effect.gen(function*() {
        yield* store.importDay(dayOf("2026-01-02", { [tritanium]: 5 }), fromEveRef("a"))
        const history = ["2026-01-03", "2026-01-01", "2026-01-02"].map((day) => ({ day, average: 9 }))
        assert.strictEqual(yield* store.addHistory(tritanium, history), 2)
        yield* store.importDay(dayOf("2026-01-03", { [tritanium]: 9 }), fromEveRef("b"))
        assert.deepStrictEqual(
          yield* sql`select day, average, source from prices order by day`,
          [
            { day: "2026-01-01", average: 9, source: "esi" },
            { day: "2026-01-02", average: 5, source: "everef" },
            { day: "2026-01-03", average: 9, source: "everef" }
          ]
        )
        const [facts] = yield* store.factsFor([{ typeId: tritanium, day: "2026-01-01" }])
        assert.strictEqual(facts!.averages[0]!.source, "esi")
        assert.deepStrictEqual((yield* arrivalsOf(sql))[1], { day: "2026-01-01", types: [tritanium] })
      })
    ))

  it.live("advance the version with every arrival, and never out of the order of commits", () =>
    withPrices((store, sql) =>
      Effect.gen(function*() {
        const before = yield* store.version
        yield* Effect.forEach(
          [1, 2, 3, 4, 5],
          (day) => store.importDay(dayOf(`2026-01-0${day}`, { [tritanium]: day }), fromEveRef("a")),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(yield* store.version, before + 5)
        yield* Effect.exit(sql.withTransaction(Effect.andThen(
          sql`insert into price_arrivals (first_day) values ('2026-01-01')`,
          Effect.fail("rolled back")
        )))
        assert.strictEqual(yield* store.version, before + 5)
      })
    ))

  it.live("can be taken once every process has heard of them, by one taker", () =>
    withPrices((store, sql) =>
      Effect.gen(function*() {
        yield* store.importDay(dayOf("2026-01-02", { [tritanium]: 5 }), fromEveRef("a"))
        yield* store.addHistory(rifter, [{ day: "2025-12-01", average: 1 }])
        assert.deepStrictEqual(yield* taken(store, 10), [])
        yield* sql`update price_arrivals set at = at - interval '1 minute'`
        assert.deepStrictEqual(yield* taken(store, 1), [{ firstDay: "2026-01-02", typeIds: null }])
        assert.deepStrictEqual(yield* taken(store, 10), [{ firstDay: "2025-12-01", typeIds: [rifter] }])
        assert.deepStrictEqual(yield* taken(store, 10), [])
      })
    ))
})

describe.concurrent("exceptions", () => {
  it.live("of well-known hulls hold on their days", () =>
    withPrices((store) =>
      Effect.gen(function*() {
        const facts = yield* store.factsFor([
          { typeId: molok, day: "2019-07-01" },
          { typeId: molok, day: "2019-07-02" }
        ])
        assert.sameMembers(facts.map(({ custom }) => custom?.price), [350e9, 650e9])
      })
    ))

  it.live("of the operator win and stay, and his later ones over his earlier", () =>
    withPrices((store, sql) =>
      Effect.gen(function*() {
        yield* sql`insert into custom_prices (type_id, price, reason) values (${molok}, 1, 'mine')`
        yield* sql`
          insert into custom_prices (type_id, valid_from, valid_until, price, reason)
          values (${molok}, '2026-01-01', '2026-01-31', 2, 'sale')`
        yield* putWellKnownPrices(wellKnownPrices)
        const priceOn = (day: string) =>
          Effect.map(store.factsFor([{ typeId: molok, day }]), ([facts]) => facts!.custom)
        assert.deepStrictEqual(yield* priceOn("2025-12-31"), { price: 1, reason: "mine" })
        assert.deepStrictEqual(yield* priceOn("2026-01-01"), { price: 2, reason: "sale" })
        assert.deepStrictEqual(yield* priceOn("2026-01-31"), { price: 2, reason: "sale" })
        assert.deepStrictEqual(yield* priceOn("2026-02-01"), { price: 1, reason: "mine" })
      })
    ))

  it.live("that are well known are written when they differ, and only then", () =>
    withPrices((store, sql) =>
      Effect.gen(function*() {
        const version = yield* store.version
        yield* Effect.forEach([1, 2, 3], () => putWellKnownPrices(wellKnownPrices), { concurrency: 3 })
        assert.strictEqual(yield* store.version, version)
        const one = { type_id: rifter, price: 3, reason: "rare", valid_from: null, valid_until: null }
        yield* putWellKnownPrices([one])
        assert.deepStrictEqual(
          yield* sql`select type_id, price, reason, well_known from custom_prices`,
          [{ type_id: rifter, price: 3, reason: "rare", well_known: true }]
        )
      })
    ))

  it.live("announce themselves, whoever changes them", () =>
    withPrices((store, sql) =>
      Effect.gen(function*() {
        const version = yield* store.version
        yield* sql`
          insert into custom_prices (type_id, valid_from, price, reason) values (${rifter}, '2026-01-05', 1, 'mine')`
        yield* sql`update custom_prices set valid_from = '2026-01-03' where type_id = ${rifter}`
        yield* sql`delete from custom_prices where type_id = ${rifter}`
        assert.deepStrictEqual((yield* arrivalsOf(sql)).map(({ day }) => day).toSorted(), [
          "2026-01-03",
          "2026-01-03",
          "2026-01-05",
          "2026-01-05"
        ])
        yield* putWellKnownPrices([])
        assert.strictEqual((yield* arrivalsOf(sql)).length, 5)
        assert.strictEqual(yield* store.version, version + 5)
      })
    ))
})

describe.concurrent("the types to ask ESI for", () => {
  const lose = Effect.fnUntraced(function*(sql: SqlClient.SqlClient, id: number, ship: number, item: number) {
    yield* sql`
      insert into killmails (killmail_time, killmail_id, solar_system_id, victim_ship_type_id, victim_damage_taken,
        attacker_count)
      values (now() - interval '1 hour', ${id}, 30000142, ${ship}, 1, 1)`
    yield* sql`
      insert into items (killmail_time, killmail_id, ordinal, item_type_id, flag, singleton)
      values (now() - interval '1 hour', ${id}, 0, ${item}, 5, 0)`
  })

  it.live("were lost lately, are traded, and have no price", () =>
    withPrices((store, sql) =>
      Effect.gen(function*() {
        yield* lose(sql, 1, rifter, tritanium)
        yield* lose(sql, 2, 670, 35)
        assert.deepStrictEqual(yield* store.typesToAsk(10), [])
        yield* store.putCcpPrices([
          { type_id: tritanium, average_price: 5, adjusted_price: 4 },
          { type_id: rifter, average_price: 400_000 },
          { type_id: 35, average_price: 8 },
          { type_id: 36, average_price: 50 },
          { type_id: 670, adjusted_price: 1 }
        ])
        assert.deepStrictEqual(yield* store.typesToAsk(10), [rifter, 35, tritanium])
        yield* store.importDay(dayOf("2020-01-02", { 35: 5 }), fromEveRef("a"))
        assert.deepStrictEqual(yield* store.typesToAsk(10), [rifter, tritanium])
        assert.deepStrictEqual(yield* store.typesToAsk(1), [rifter])
      })
    ))

  it.live("are not those that ESI knew nothing of lately", () =>
    withPrices((store, sql) =>
      Effect.gen(function*() {
        yield* lose(sql, 1, rifter, tritanium)
        yield* store.putCcpPrices([rifter, tritanium].map((type_id) => ({ type_id, average_price: 5 })))
        yield* store.addHistory(rifter, [])
        assert.deepStrictEqual(yield* store.typesToAsk(10), [tritanium])
        yield* sql`update price_requests set asked_at = now() - interval '31 days'`
        assert.sameMembers([...yield* store.typesToAsk(10)], [rifter, tritanium])
      })
    ))
})
