import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import type { SqlClient } from "effect/sql"
import { handlers } from "../../src/prices/RefreshPrices.ts"
import { makeWorld, rifter, tritanium } from "./PricesWorld.ts"

const dayBefore = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)

const runJob = (name: string) => handlers.find(({ job }) => job.name === name)!.run({}, 1)

const lose = (sql: SqlClient.SqlClient, id: number, ship: number) =>
  sql`
    insert into killmails (killmail_time, killmail_id, solar_system_id, victim_ship_type_id, victim_damage_taken,
      attacker_count)
    values (now() - interval '1 hour', ${id}, 30000142, ${ship}, 1, 1)`

describe.concurrent("refresh_prices", () => {
  it.live("brings the last days, CCP's list, and has ESI asked for what is missing", () =>
    Effect.gen(function*() {
      const { filesAsked, pricesOf, sandbox, services, sql } = yield* makeWorld()
      for (const days of [1, 30, 39, 50]) sandbox.publishPrices(dayBefore(days), { [tritanium]: days })
      sandbox.publishPriceHistory(rifter, { [dayBefore(2)]: 400_000 })
      const result = yield* runJob("refresh_prices").pipe(Effect.provide(services))
      assert.deepStrictEqual(result, { days: 3, prices: 3, ccp_prices: 1 })
      assert.deepStrictEqual(filesAsked(), [39, 30, 1].map((days) => `${dayBefore(days)} 200`))
      assert.deepStrictEqual((yield* pricesOf(tritanium)).map(({ average }) => average), [39, 30, 1])
      assert.deepStrictEqual(yield* sql`select type_id, average_price from ccp_prices`, [
        { type_id: rifter, average_price: 400_000 }
      ])
      const jobs = yield* sql`select task_identifier as task, priority from graphile_worker.jobs`
      assert.deepStrictEqual(jobs, [{ task: "fetch_price_history", priority: 30 }])
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("finds nothing new when it runs again, and asks no more than the listing", () =>
    Effect.gen(function*() {
      const { sandbox, services } = yield* makeWorld()
      sandbox.publishPrices(dayBefore(2), { [tritanium]: 5 })
      yield* runJob("refresh_prices").pipe(Effect.provide(services))
      const before = sandbox.requests().length
      const result = yield* runJob("refresh_prices").pipe(Effect.provide(services))
      assert.deepStrictEqual(result, { days: 0, prices: 0, ccp_prices: 0 })
      assert.isAtMost(sandbox.requests().length - before, 3)
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("comes back later when EVE Ref wants a pause, and fails when it is away, with ESI asked all the same", () =>
    Effect.gen(function*() {
      const { sandbox, services, sql } = yield* makeWorld()
      sandbox.intercept(({ path, upstream }) =>
        upstream === "everef" && path.endsWith("totals.json") ? { status: 503 } : undefined
      )
      const away = yield* Effect.exit(runJob("refresh_prices").pipe(Effect.provide(services)))
      assert.match(String(Exit.isFailure(away) && away.cause), /JobFailed.*EVE Ref did not serve \S*totals\.json/s)
      const [jobs] = yield* sql`select count(*)::int as count from graphile_worker.jobs`
      assert.deepStrictEqual(jobs, { count: 1 })
      sandbox.intercept(({ upstream }) =>
        upstream === "everef" ? { status: 429, headers: { "retry-after": "7" } } : undefined
      )
      const refused = yield* Effect.flip(runJob("refresh_prices").pipe(Effect.provide(services)))
      assert.deepInclude(refused, { _tag: "JobPostponed", delayMillis: 7000 })
    }))
})

describe.concurrent("fetch_price_history", () => {
  it.live("asks ESI for what was lost and has no price, and remembers what it does not know", () =>
    Effect.gen(function*() {
      const { pricesOf, sandbox, services, sql, imports } = yield* makeWorld()
      yield* lose(sql, 1, rifter)
      yield* lose(sql, 2, tritanium)
      yield* lose(sql, 3, 670)
      yield* imports.putCcpPrices([rifter, tritanium].map((type_id) => ({ type_id, average_price: 5 })))
      sandbox.publishPriceHistory(rifter, { [dayBefore(9)]: 400_000, [dayBefore(8)]: 410_000 })
      const result = yield* runJob("fetch_price_history").pipe(Effect.provide(services))
      assert.deepStrictEqual(result, { types: 2, prices: 2 })
      assert.deepStrictEqual(yield* pricesOf(rifter), [
        { day: dayBefore(9), average: 400_000, source: "esi" },
        { day: dayBefore(8), average: 410_000, source: "esi" }
      ])
      assert.deepStrictEqual(yield* sql`select type_id, found from price_requests order by type_id`, [
        { type_id: tritanium, found: false },
        { type_id: rifter, found: true }
      ])
      const before = sandbox.requests().length
      assert.deepStrictEqual(
        yield* runJob("fetch_price_history").pipe(Effect.provide(services)),
        { types: 0, prices: 0 }
      )
      assert.strictEqual(sandbox.requests().length, before)
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("takes a refusal of us for no answer about the type", () =>
    Effect.gen(function*() {
      const { imports, sandbox, services, sql } = yield* makeWorld()
      yield* lose(sql, 1, rifter)
      yield* imports.putCcpPrices([{ type_id: rifter, average_price: 5 }])
      sandbox.intercept(({ path }) =>
        path.endsWith("/history") ? { status: 403, body: "{\"error\":\"banned\"}" } : undefined
      )
      const refused = yield* Effect.flip(runJob("fetch_price_history").pipe(Effect.provide(services)))
      assert.strictEqual(refused._tag, "JobFailed")
      assert.deepStrictEqual(yield* imports.typesToAsk(10), [rifter])
    }))

  it.live("leaves ESI alone when the budget is spent, and goes on from there", () =>
    Effect.gen(function*() {
      const { sandbox, services, sql, imports } = yield* makeWorld()
      const types = Array.from({ length: 35 }, (_, index) => 10_000 + index)
      for (const typeId of types) yield* lose(sql, typeId, typeId)
      yield* imports.putCcpPrices(types.map((type_id) => ({ type_id, average_price: 5 })))
      const refused = yield* Effect.flip(runJob("fetch_price_history").pipe(Effect.provide(services)))
      assert.strictEqual(refused._tag, "JobPostponed")
      assert.strictEqual(sandbox.requests().length, 30)
      assert.strictEqual((yield* imports.typesToAsk(100)).length, 5)
      assert.deepStrictEqual(sandbox.violations(), [])
    }))
})
