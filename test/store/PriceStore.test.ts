import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { wellKnownPrices } from "../../src/domain/WellKnownPrices.ts"
import { mostAverages, type PriceArrival, type PriceStore, putWellKnownPrices } from "../../src/store/PriceStore.ts"
import { arrivalsOf, dayOf, fromEveRef, molok, rifter, tritanium, withPrices } from "./PriceTables.ts"

const taken = (store: PriceStore["Service"], most: number) =>
  Effect.gen(function*() {
    const all: Array<PriceArrival> = []
    yield* store.handArrivals(most, (arrivals) => Effect.sync(() => void all.push(...arrivals)))
    return all
  })

const molokOn = (store: PriceStore["Service"], day: string) =>
  Effect.map(store.factsFor([{ typeId: molok, day }]), ([facts]) => facts!.custom)

describe.concurrent("prices in the store", () => {
  it.live("are the newest on or before the day, newest first and at most as many as the rule smooths", () =>
    withPrices(({ imports, store }) =>
      Effect.gen(function*() {
        for (let day = 1; day <= 30; day++) {
          for (const month of ["01", "03"]) {
            const date = `2026-${month}-${String(day).padStart(2, "0")}`
            yield* imports.importDay(dayOf(date, { [tritanium]: day }), fromEveRef(date))
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
    withPrices(({ imports, store }) =>
      Effect.gen(function*() {
        yield* imports.importDay(dayOf("2026-01-02", { [tritanium]: 5 }), fromEveRef("a"))
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
    withPrices(({ imports, store }) =>
      Effect.gen(function*() {
        const prices = { [tritanium]: 0.01, [rifter]: 12_345_678_901_234.56 }
        yield* imports.importDay(dayOf("2026-01-02", prices), fromEveRef("a"))
        const facts = yield* store.factsFor([tritanium, rifter].map((typeId) => ({ typeId, day: "2026-01-02" })))
        assert.deepStrictEqual(facts.map(({ averages }) => averages[0]!.average), Object.values(prices))
      })
    ))

  it.live("can be taken once every process has heard of them, by one taker", () =>
    withPrices(({ imports, sql, store }) =>
      Effect.gen(function*() {
        yield* imports.importDay(dayOf("2026-01-02", { [tritanium]: 5 }), fromEveRef("a"))
        yield* imports.addHistory(rifter, [{ day: "2025-12-01", average: 1 }])
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
    withPrices(({ store }) =>
      Effect.gen(function*() {
        const facts = yield* store.factsFor([
          { typeId: molok, day: "2019-07-01" },
          { typeId: molok, day: "2019-07-02" }
        ])
        assert.sameMembers(facts.map(({ custom }) => custom?.price), [350e9, 650e9])
      })
    ))

  it.live("of the operator win and stay, and his later ones over his earlier", () =>
    withPrices(({ sql, store }) =>
      Effect.gen(function*() {
        yield* sql`insert into custom_prices (type_id, price, reason) values (${molok}, 1, 'mine')`
        yield* sql`
          insert into custom_prices (type_id, valid_from, valid_until, price, reason)
          values (${molok}, '2026-01-01', '2026-01-31', 2, 'sale')`
        yield* putWellKnownPrices(wellKnownPrices)
        assert.deepStrictEqual(yield* molokOn(store, "2025-12-31"), { price: 1, reason: "mine" })
        assert.deepStrictEqual(yield* molokOn(store, "2026-01-01"), { price: 2, reason: "sale" })
        assert.deepStrictEqual(yield* molokOn(store, "2026-01-31"), { price: 2, reason: "sale" })
        assert.deepStrictEqual(yield* molokOn(store, "2026-02-01"), { price: 1, reason: "mine" })
      })
    ))

  it.live("that are well known are written when they differ, and only then", () =>
    withPrices(({ sql, store }) =>
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
    withPrices(({ sql, store }) =>
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
