import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { arrivalsOf, dayOf, fromEveRef, rifter, tritanium, withPrices } from "./PriceTables.ts"

describe.concurrent("prices that arrive", () => {
  it.live("are replaced by an edited file, and say which have changed", () =>
    withPrices(({ imports, sql }) =>
      Effect.gen(function*() {
        assert.strictEqual(
          yield* imports.importDay(dayOf("2026-01-02", { [tritanium]: 5, [rifter]: 7 }), fromEveRef("a")),
          2
        )
        assert.strictEqual(
          yield* imports.importDay(dayOf("2026-01-02", { [tritanium]: 5, [rifter]: 8, 35: 1 }), fromEveRef("b")),
          2
        )
        assert.deepStrictEqual(yield* arrivalsOf(sql), [
          { day: "2026-01-02", types: null },
          { day: "2026-01-02", types: [35, rifter] }
        ])
        assert.deepStrictEqual(
          yield* imports.importedDays("2026-01-01", "2026-01-31"),
          new Map([["2026-01-02", fromEveRef("b")]])
        )
      })
    ))

  it.live("do not arrive again with the same file", () =>
    withPrices(({ imports, sql, store }) =>
      Effect.gen(function*() {
        const day = dayOf("2026-01-02", { [tritanium]: 5 })
        yield* imports.importDay(day, fromEveRef("a"))
        const version = yield* store.version
        assert.strictEqual(yield* imports.importDay(day, fromEveRef("a")), 0)
        assert.strictEqual(yield* store.version, version)
        assert.strictEqual((yield* arrivalsOf(sql)).length, 1)
      })
    ))

  it.live("from ESI fill gaps, and give way to EVE Ref's", () =>
    withPrices(({ imports, sql, store }) =>
      Effect.gen(function*() {
        yield* imports.importDay(dayOf("2026-01-02", { [tritanium]: 5 }), fromEveRef("a"))
        const history = ["2026-01-03", "2026-01-01", "2026-01-02"].map((day) => ({ day, average: 9 }))
        assert.strictEqual(yield* imports.addHistory(tritanium, history), 2)
        yield* imports.importDay(dayOf("2026-01-03", { [tritanium]: 9 }), fromEveRef("b"))
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
    withPrices(({ imports, sql, store }) =>
      Effect.gen(function*() {
        const before = yield* store.version
        yield* Effect.forEach(
          [1, 2, 3, 4, 5],
          (day) => imports.importDay(dayOf(`2026-01-0${day}`, { [tritanium]: day }), fromEveRef("a")),
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
    withPrices(({ imports, sql }) =>
      Effect.gen(function*() {
        yield* lose(sql, 1, rifter, tritanium)
        yield* lose(sql, 2, 670, 35)
        assert.deepStrictEqual(yield* imports.typesToAsk(10), [])
        yield* imports.putCcpPrices([
          { type_id: tritanium, average_price: 5, adjusted_price: 4 },
          { type_id: rifter, average_price: 400_000 },
          { type_id: 35, average_price: 8 },
          { type_id: 36, average_price: 50 },
          { type_id: 670, adjusted_price: 1 }
        ])
        assert.deepStrictEqual(yield* imports.typesToAsk(10), [rifter, 35, tritanium])
        yield* imports.importDay(dayOf("2020-01-02", { 35: 5 }), fromEveRef("a"))
        assert.deepStrictEqual(yield* imports.typesToAsk(10), [rifter, tritanium])
        assert.deepStrictEqual(yield* imports.typesToAsk(1), [rifter])
      })
    ))

  it.live("are not those that ESI knew nothing of lately", () =>
    withPrices(({ imports, sql }) =>
      Effect.gen(function*() {
        yield* lose(sql, 1, rifter, tritanium)
        yield* imports.putCcpPrices([rifter, tritanium].map((type_id) => ({ type_id, average_price: 5 })))
        yield* imports.addHistory(rifter, [])
        assert.deepStrictEqual(yield* imports.typesToAsk(10), [tritanium])
        yield* sql`update price_requests set asked_at = now() - interval '31 days'`
        assert.sameMembers([...yield* imports.typesToAsk(10)], [rifter, tritanium])
      })
    ))
})
