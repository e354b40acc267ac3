import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { Client } from "pg"
import { JobPools } from "../../src/jobs/JobPools.ts"
import * as Database from "../../src/store/Database.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"

/** A pool with one job in its hands, that was last heard of so many seconds ago. */
const pool = Effect.fnUntraced(function*(secondsSilent: number) {
  const { url } = yield* migratedDatabase
  const context = yield* Layer.build(JobPools.layer.pipe(Layer.provideMerge(Database.layer(Redacted.make(url)))))
  const pools = Context.get(context, JobPools)
  const sql = Context.get(context, SqlClient.SqlClient)
  yield* pools.register("pool", "killmaild jobs of a test")
  yield* sql`update job_pools set heartbeat_at = clock_timestamp() - ${secondsSilent} * interval '1 second'`
  yield* sql`select id from graphile_worker.add_job('some', '{}')`
  yield* sql`update graphile_worker._private_jobs set locked_by = 'pool', locked_at = now()`
  return { pools, sql, url }
})

const connection = (url: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ connectionString: url, application_name: "killmaild jobs of a test" })
      const state = { isEnded: false }
      client.on("error", () => {
        state.isEnded = true
      })
      await client.connect()
      return { client, state }
    }),
    ({ client }) => Effect.promise(() => client.end().catch(() => {}))
  )

describe("a sweep", () => {
  it.live("buries a pool that is silent and has no connection: its process died", () =>
    Effect.gen(function*() {
      const { pools } = yield* pool(2)
      assert.strictEqual(yield* pools.sweep, 1)
    }))

  it.live("leaves a pool alone that was heard of lately, connected or not", () =>
    Effect.gen(function*() {
      const { pools } = yield* pool(0.5)
      assert.strictEqual(yield* pools.sweep, 0)
    }))

  it.live("leaves a pool alone that is silent but connected: on a busy machine it is only late", () =>
    Effect.gen(function*() {
      const { pools, url } = yield* pool(2)
      const { state } = yield* connection(url)
      assert.strictEqual(yield* pools.sweep, 0)
      assert.isFalse(state.isEnded)
    }))

  it.live("buries a pool that is silent for long, and ends its connections: it is frozen, or cut off", () =>
    Effect.gen(function*() {
      const { pools, url } = yield* pool(11)
      const { state } = yield* connection(url)
      assert.strictEqual(yield* pools.sweep, 1)
      while (!state.isEnded) yield* Effect.sleep("5 millis")
    }))

  it.live("remembers a pool that ended for what it locked with its last breath", () =>
    Effect.gen(function*() {
      const { pools, sql } = yield* pool(0)
      assert.strictEqual(yield* pools.bury("killmaild jobs of a test"), 1)
      assert.strictEqual(yield* pools.sweep, 0)
      yield* sql`update graphile_worker._private_jobs set locked_by = 'pool', locked_at = now()`
      assert.strictEqual(yield* pools.sweep, 1)
    }))
})

describe("a burial", () => {
  it.live("unlocks the jobs only when the last connection is gone", () =>
    Effect.gen(function*() {
      const { pools, sql, url } = yield* pool(0)
      const { client } = yield* connection(url)
      // With so many temporary tables a connection takes a while to end.
      yield* Effect.promise(() =>
        client.query("do $$ begin for k in 1..500 loop execute format('create temp table t%s ()', k); end loop; end $$")
      )
      assert.strictEqual(yield* pools.bury("killmaild jobs of a test"), 1)
      assert.deepStrictEqual(
        yield* sql`select pid from pg_stat_activity where application_name = 'killmaild jobs of a test'`,
        []
      )
    }))

  it.live("says of what the process ran that it was interrupted, and of nothing else", () =>
    Effect.gen(function*() {
      const { pools, sql } = yield* pool(0)
      yield* sql`
        insert into job_runs (task, status, attempts, application_name)
        values ('some', 'running', 1, 'killmaild jobs of a test'), ('some', 'completed', 1, 'killmaild jobs of a test'),
          ('some', 'running', 1, 'killmaild jobs of another')`
      yield* pools.bury("killmaild jobs of a test")
      assert.deepStrictEqual(
        yield* sql`select status, completed_at is not null as ended, error from job_runs order by id`,
        [
          { status: "interrupted", ended: true, error: "The process ended while it ran." },
          { status: "completed", ended: false, error: null },
          { status: "running", ended: false, error: null }
        ]
      )
    }))
})
