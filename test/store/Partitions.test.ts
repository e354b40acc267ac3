import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { Maintenance, monthsAhead } from "../../src/store/Maintenance.ts"
import { changed, mailOf, newKillmail } from "../support/Mails.ts"
import { replicaOn, withStores } from "../support/Stores.ts"

const ensure = (first: string, last: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.map(
      sql<{ created: number }>`select ensure_killmail_partitions(${first}::date, ${last}::date) as created`,
      ([row]) => row!.created
    ))

describe.concurrent("the tables of months", () => {
  it.live("are made while others read and write, by two at once, and nobody waits for a second", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const store = yield* KillmailStore
        const readerReads = yield* Deferred.make<void>()
        const readerEnds = yield* Deferred.make<void>()
        const reader = yield* Effect.forkChild(sql.withTransaction(Effect.gen(function*() {
          yield* sql`select count(*) from killmails join attackers using (killmail_id) join items using (killmail_id)`
          yield* Deferred.succeed(readerReads, undefined)
          yield* Deferred.await(readerEnds)
        })))
        yield* Deferred.await(readerReads)

        const killmail_time = new Date().toISOString()
        const waits: Array<number> = []
        let stored = 0
        const writer = yield* Effect.forkChild(Effect.forever(Effect.gen(function*() {
          const began = performance.now()
          yield* store.append([newKillmail(changed(mailOf("busy", stored++), { killmail_time }))])
          waits.push(performance.now() - began)
          yield* Effect.yieldNow
        })))
        const other = yield* replicaOn(url)
        const created = yield* Effect.all([
          ensure("2009-01-01", "2013-12-31"),
          Effect.provide(
            ensure("2009-01-01", "2013-12-31"),
            Context.make(SqlClient.SqlClient, Context.get(other, SqlClient.SqlClient))
          )
        ], { concurrency: 2 })
        yield* Fiber.interrupt(writer)
        yield* Deferred.succeed(readerEnds, undefined)
        yield* Fiber.join(reader)
        assert.strictEqual(created[0] + created[1], 5 * 12 * 3)
        assert.isAbove(waits.length, 5)
        assert.isBelow(Math.max(...waits), 1000)
      })
    ))

  it.live("are told when they run out", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const { createPartitions, daysLeft } = yield* Maintenance
        assert.isAtLeast(yield* daysLeft, (monthsAhead - 1) * 30)
        const [next] = yield* sql<{ table: string; days: number }>`
          select 'attackers_' || to_char(month, 'YYYY_MM') as table,
            extract(epoch from month - now() at time zone 'UTC')::float8 / 86400 as days
          from date_trunc('month', now() at time zone 'UTC' + interval '1 month') month`
        yield* sql`drop table ${sql(next!.table)}`
        assert.approximately(yield* daysLeft, next!.days, 0.01)
        yield* createPartitions
        assert.isAtLeast(yield* daysLeft, (monthsAhead - 1) * 30)
      })
    ))

  it.live("are frozen and analysed once, two weeks after their end, and again after an import", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const store = yield* KillmailStore
        const { freezeMonths } = yield* Maintenance
        const old = Array.from({ length: 50 }, (_, k) =>
          newKillmail(changed(mailOf("frozen", k), { killmail_time: "2010-03-15T12:00:00Z" })))
        yield* store.append(old)
        yield* store.append([newKillmail(mailOf("young", 1))])
        yield* freezeMonths
        const [table] = yield* sql`
          select relpages = relallfrozen as frozen, reltuples::int as killmails
          from pg_class where oid = 'killmails_2010_03'::regclass`
        assert.deepStrictEqual(table, { frozen: true, killmails: 50 })
        const frozen = sql<{ month: string }>`select month::text as month from frozen_months where month < '2011-01-01'`
        assert.deepStrictEqual(yield* frozen, [{ month: "2010-03-01" }])
        const [present] = yield* sql<{ count: number }>`
          select count(*)::int as count from frozen_months where month > now() - interval '45 days'`
        assert.strictEqual(present!.count, 0)

        assert.strictEqual(yield* freezeMonths, 0)
        yield* sql`
          insert into imports (source, day, bytes, stored, ended_at) values ('everef', '2010-03-15', 1, 1, clock_timestamp())`
        assert.strictEqual(yield* freezeMonths, 1)
        assert.strictEqual(yield* freezeMonths, 0)
      })
    ))
})
