/** Public killmails by the day (UTC) on which they happened: ids with hashes, and counts. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"

export class KillmailDays extends Context.Service<KillmailDays, {
  /** Hashes by id, of a day such as `2026-11-20`, as JSON text; `{}` for a day without any. */
  readonly hashesOf: (day: string) => Effect.Effect<string, SqlError.SqlError>
  /** Counts by day as `20261120`, of all months there are; a query a month. */
  readonly totals: Effect.Effect<Readonly<Record<string, number>>, SqlError.SqlError>
}>()("killmaild/store/KillmailDays") {
  static readonly layer = Layer.effect(
    KillmailDays,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const isPublic = sql.literal("(ledger.sequence is not null or ledger.visible_from <= now())")

      const hashesOf = (day: string) =>
        Effect.map(
          sql<{ hashes: string }>`
            select coalesce(json_object_agg(mail.killmail_id, encode(ledger.hash, 'hex')), '{}')::text as hashes
            from killmails mail
            join killmail_ledger ledger using (killmail_id)
            where mail.killmail_time >= ${`${day}T00:00:00Z`}::timestamptz
              and mail.killmail_time < ${`${day}T00:00:00Z`}::timestamptz + interval '24 hours'
              and ${isPublic}`,
          ([row]) => row!.hashes
        )

      const months = sql<{ month: string }>`
        select to_char(to_date(right(relname, 7), 'YYYY_MM'), 'YYYY-MM-DD') as month
        from pg_inherits
        join pg_class on pg_class.oid = inhrelid
        where inhparent = 'killmails'::regclass
        order by month`

      const totalsOf = (month: string) =>
        sql<{ day: string; count: number }>`
          select to_char(mail.killmail_time at time zone 'UTC', 'YYYYMMDD') as day, count(*)::integer as count
          from killmails mail
          join killmail_ledger ledger using (killmail_id)
          where mail.killmail_time >= ${`${month}T00:00:00Z`}::timestamptz
            and mail.killmail_time < (${`${month}T00:00:00Z`}::timestamptz at time zone 'UTC' + interval '1 month')
              at time zone 'UTC'
            and ${isPublic}
          group by day
          order by day`

      const totals = Effect.gen(function*() {
        const counts: Record<string, number> = {}
        for (const { month } of yield* months) {
          for (const { count, day } of yield* totalsOf(month)) counts[day] = count
        }
        return counts
      })

      return KillmailDays.of({ hashesOf, totals })
    })
  )
}
