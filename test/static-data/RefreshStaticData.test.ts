import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { itemRows } from "../../src/domain/Rows.ts"
import { charts } from "../../src/sandbox/Atlas.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { StaticDataStore } from "../../src/store/StaticDataStore.ts"
import { eventually, manualSandbox, migratedDatabase, startDaemonOn } from "../support/TestDaemon.ts"

const runs = (sql: SqlClient.SqlClient) =>
  sql<{ status: string; result: { status: string; build: number } | null; error: string | null }>`
    select status, result, error from job_runs where task = 'refresh_static_data' and status <> 'running'
    order by started_at`

describe("the static data of a daemon", () => {
  it.live("are there soon after its first start, imported once for all replicas, and no reason to start late", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      sandbox.intercept(({ path }) => path.endsWith("latest.jsonl") ? { delayMillis: 500 } : undefined)
      const { url } = yield* migratedDatabase
      const { context } = yield* startDaemonOn(url, sandbox)
      yield* startDaemonOn(url, sandbox)
      assert.isEmpty(sandbox.requests().filter(({ path }) => path.endsWith(".zip")), "it is up before")
      yield* Effect.gen(function*() {
        const [run] = yield* eventually(runs, (runs) => runs.length > 0)
        assert.deepInclude(run?.result, { status: "imported", build: 3_444_265 })
        const [counts] = yield* eventually(
          (sql) => sql<{ types: number }>`select count(*)::int as types from types`,
          (rows) => rows[0]!.types > 400
        )
        assert.isAbove(counts!.types, 400)
      }).pipe(Effect.provide(context))
      assert.strictEqual(sandbox.requests().filter(({ path }) => path.endsWith(".zip")).length, 1)
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("come from ESI for what a killmail names, while CCP's server is away", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      sandbox.intercept(({ upstream }) => upstream === "static-data" ? { status: 503 } : undefined)
      const { url } = yield* migratedDatabase
      const { context } = yield* startDaemonOn(url, sandbox)
      const { hash, killmail, zkb } = killmailOf("static data", 1)
      sandbox.publishR2z2({ esi: killmail, hash, zkb })
      const { attackers, solar_system_id, victim } = killmail
      const named = new Set([
        victim.ship_type_id,
        ...attackers.flatMap(({ ship_type_id }) => ship_type_id ?? []),
        ...itemRows(victim.items ?? []).map(({ item_type_id }) => item_type_id)
      ])
      yield* Effect.gen(function*() {
        const store = yield* StaticDataStore
        yield* eventually(() => store.types([...named]), (types) => types.length >= named.size)
        const [system] = yield* eventually(() => store.systems([solar_system_id]), (systems) => systems.length === 1)
        assert.strictEqual(system!.name, charts.get(solar_system_id)!.name)
      }).pipe(Effect.provide(context))
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("are looked for again when CCP's server was away, at no attempt's cost, and only then", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      sandbox.intercept(({ count, upstream }) =>
        upstream === "static-data" && count === 1 ? { status: 503, headers: { "retry-after": "1" } } : undefined
      )
      const { url } = yield* migratedDatabase
      const { context } = yield* startDaemonOn(url, sandbox)
      yield* Effect.gen(function*() {
        const all = yield* eventually(runs, (runs) => runs.some(({ status }) => status === "completed"))
        assert.isTrue(all.slice(0, -1).every(({ status }) => status === "rescheduled"), JSON.stringify(all))
        assert.isAbove(all.length, 1)
        const sql = yield* SqlClient.SqlClient
        assert.deepStrictEqual(yield* sql`select 1 from dead_letters`, [])
        const [next] = yield* sql<{ hours: number; attempts: number }>`
          select extract(epoch from run_at - now())::float8 / 3600 as hours, attempts::int
          from graphile_worker.jobs
          where task_identifier = 'refresh_static_data'`
        assert.closeTo(next!.hours, 24, 0.1)
      }).pipe(Effect.provide(context))
      assert.deepStrictEqual(sandbox.violations(), [])
    }))
})
