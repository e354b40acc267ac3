import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { Maintenance, monthsAhead } from "../../src/store/Maintenance.ts"
import { withStores } from "../support/Stores.ts"

describe.concurrent("maintenance", () => {
  it.live("creates the months that are missing, and then none", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const { createPartitions } = yield* Maintenance
        assert.strictEqual(yield* createPartitions, 0)
        const [last] = yield* sql<{ name: string }>`
          select 'items_' || to_char(now() at time zone 'UTC' + ${monthsAhead} * interval '1 month', 'YYYY_MM') as name`
        yield* sql`drop table ${sql(last!.name)}`
        assert.strictEqual(yield* createPartitions, 1)
        assert.strictEqual(yield* createPartitions, 0)
      })
    ))

  it.live("throws away job runs that are older than a week", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`
          insert into job_runs (task, status, attempts, started_at, application_name)
          select 'toy', 'completed', days, now() - days * interval '1 day', 'a test' from generate_series(6, 9) days`
        assert.strictEqual((yield* (yield* Maintenance).cleanUp).job_runs, 3)
        assert.deepStrictEqual(yield* sql`select attempts from job_runs`, [{ attempts: 6 }])
      })
    ))

  it.live("forgets the budgets of pilots and webhooks that nobody used for a day, and no other", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        // A slice is the sixtieth part of a window.
        yield* sql`
          insert into rate_limits (bucket, token_limit, window_millis, slice, paused_until)
          select bucket, 30, 900000, floor((extract(epoch from now()) - hours * 3600) * 1000 * 60 / 900000),
            now() + paused_hours * interval '1 hour'
          from (values
            ('esi:char-killmail:1', 25, null), ('esi:char-killmail:2', 23, null), ('esi:char-killmail:3', 25, 1),
            ('webhook:one', 25, -25), ('webhook:two', 0, null), ('esi:killmail', 25, null)
          ) as budget(bucket, hours, paused_hours)`
        yield* sql`insert into rate_limits (bucket) values ('webhook:never used')`
        assert.strictEqual((yield* (yield* Maintenance).cleanUp).rate_limits, 3)
        assert.deepStrictEqual(
          (yield* sql<{ bucket: string }>`select bucket from rate_limits order by bucket`).map(({ bucket }) => bucket),
          ["esi:char-killmail:2", "esi:char-killmail:3", "esi:killmail", "webhook:two"]
        )
      })
    ))

  it.live("throws away what is old, but what ESI refused for good, and gaps that are open", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`
          insert into sightings (killmail_id, source, heard_at)
          select days, 'r2z2', now() - days * interval '1 day' from generate_series(88, 92) days`
        yield* sql`
          insert into dead_letters (task, key, payload, reason, error, attempts, at)
          select 'ingest_killmail', reason, '{}', reason, '', 1, now() - interval '91 days'
          from unnest(array['not_found', 'hash_mismatch', 'undecodable']) reason`
        yield* sql`
          insert into gaps (feed, reason, day, opened_at, closed_at)
          select 'r2z2', 'downtime', date '2019-12-31' + n::integer, now() - interval '500 days', closed_at
          from unnest(array[null, now() - interval '399 days', now() - interval '401 days']) with ordinality as gap(closed_at, n)`
        const { dead_letters, gaps, sightings } = yield* (yield* Maintenance).cleanUp
        assert.deepStrictEqual({ dead_letters, gaps, sightings }, { dead_letters: 1, gaps: 1, sightings: 3 })
        assert.deepStrictEqual(yield* sql`select reason from dead_letters order by reason`, [
          { reason: "hash_mismatch" },
          { reason: "not_found" }
        ])
        assert.deepStrictEqual(yield* sql`select extract(day from day)::int as day from gaps order by day`, [
          { day: 1 },
          { day: 2 }
        ])
      })
    ))

  it.live("buries jobs that the queue gave up, and no others", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        for (const name of ["given up", "locked", "waiting", "buried before"]) {
          yield* sql`
            select id from graphile_worker.add_job('toy', ${JSON.stringify({ name, note: "\0" })}::json,
              job_key => ${name}, priority => 10, max_attempts => 3)`
        }
        yield* sql`
          update graphile_worker._private_jobs set attempts = 3, last_error = 'the process died'
          where key <> 'waiting'`
        yield* sql`update graphile_worker._private_jobs set locked_at = now(), locked_by = 'me' where key = 'locked'`
        yield* sql`
          insert into dead_letters (task, key, payload, reason, error, attempts)
          values ('toy', 'buried before', '{}', 'no_luck', 'told', 3)`
        const { given_up } = yield* (yield* Maintenance).cleanUp
        assert.strictEqual(given_up, 2)
        assert.deepStrictEqual(
          yield* sql`select key, payload, reason, error, attempts, priority from dead_letters order by key`,
          // What the newer job was asked to do is kept, not what the older one was.
          ["buried before", "given up"].map((name) => ({
            key: name,
            payload: { name, note: "\0" },
            reason: "given_up",
            error: "the process died",
            attempts: 3,
            priority: 10
          }))
        )
        assert.deepStrictEqual(
          yield* sql`select key from graphile_worker._private_jobs order by key`,
          [{ key: "locked" }, { key: "waiting" }]
        )
      })
    ))

  it.live("throws away what a newer job of the same key replaced while it ran", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const add = sql`select id from graphile_worker.add_job('toy', '{}', job_key => 'same', max_attempts => 3)`
        yield* add
        yield* sql`update graphile_worker._private_jobs set locked_at = now(), locked_by = 'me', attempts = 1`
        yield* add
        yield* sql`update graphile_worker._private_jobs set locked_at = null, locked_by = null`
        assert.strictEqual((yield* (yield* Maintenance).cleanUp).given_up, 0)
        assert.deepStrictEqual(yield* sql`select * from dead_letters`, [])
        assert.deepStrictEqual(yield* sql`select key, attempts from graphile_worker._private_jobs`, [
          { key: "same", attempts: 0 }
        ])
      })
    ))
})
