import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
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

/** In a month that is there, and that nothing was stored in before. */
const inMonth = (ahead: number) => new Date(Date.now() + ahead * 40 * 86_400_000).toISOString()

describe.concurrent("the tables of months", () => {
  it.live("are made while others read and write, none of whom waits for a second", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const other = yield* replicaOn(url)
        const store = Context.get(yield* replicaOn(url), KillmailStore)
        const theirSql = Context.get(other, SqlClient.SqlClient)
        const readAll = theirSql`
          select count(*) from killmails join attackers using (killmail_id) join items using (killmail_id)`
        const write = (k: number) =>
          Effect.timeout(
            store.append([newKillmail(changed(mailOf("busy", k), { killmail_time: inMonth(k) }))]),
            "1 second"
          )
        yield* write(0)
        // Whoever reads, and whoever writes, in a transaction that is not over.
        yield* theirSql.withTransaction(Effect.gen(function*() {
          yield* readAll
          yield* theirSql`update killmails set points = 1`
          yield* sql.withTransaction(Effect.gen(function*() {
            assert.strictEqual(yield* ensure("2009-01-01", "2013-12-31"), 5 * 12 * 3)
            // The months are not there yet for anybody else.
            yield* Effect.timeout(readAll, "1 second")
            yield* write(1)
          }))
        }))
        assert.strictEqual((yield* sql`select from killmails`).length, 2)
      })
    ))

  it.live("are made once by two who make them at once", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const other = yield* replicaOn(url)
        const months = ensure("2009-01-01", "2010-12-31")
        const created = yield* Effect.all([months, Effect.provide(months, other)], { concurrency: 2 })
        assert.strictEqual(created[0] + created[1], 2 * 12 * 3)
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
