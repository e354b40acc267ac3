/** Public killmails by the day (UTC) on which they happened: ids with hashes, and counts. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"

export class KillmailDays extends Context.Service<KillmailDays, {
  /** Hashes by id, of a day such as `2026-11-20`, as JSON text; `{}` for a day without any. */
  readonly hashesOf: (day: string) => Effect.Effect<string, SqlError.SqlError>
  /** Counts by day as `20261120`, as far as the statistics count: a few seconds behind what is stored. */
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

      const totals = Effect.map(
        sql<{ day: string; killmails: number }>`
          select to_char(day, 'YYYYMMDD') as day, killmails
          from killmails_by_day
          where killmails > 0
          order by killmails_by_day.day`,
        (rows) => Object.fromEntries(rows.map(({ day, killmails }) => [day, killmails]))
      )

      return KillmailDays.of({ hashesOf, totals })
    })
  )
}
