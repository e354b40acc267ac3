/** Killmails that are valued anew: which ones something concerns, their new values, and who is told of them. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { KillmailRow } from "../domain/Document.ts"
import type { Appraisal } from "../domain/Judgement.ts"
import type { Day } from "../domain/Market.ts"
import { appraisalArrays, appraisalColumns } from "./AppraisalColumns.ts"
import { killmailColumns } from "./KillmailReader.ts"
import { publicationsChannel } from "./KillmailStore.ts"
import { pgColumn } from "./PgArray.ts"
import { noteDaysOf } from "./StatisticsDue.ts"

/** Which killmails: of a day's prices, with types lost since a day, or those whose static data were not all known. */
export type Concerned =
  | { readonly day: Day }
  | { readonly typeIds: ReadonlyArray<number>; readonly since: Day }
  | { readonly provisional: true }

export interface KillmailKey {
  readonly id: number
  /** Whatever Postgres wrote; only it reads it. */
  readonly time: string
}

export class Revaluations extends Context.Service<Revaluations, {
  /** In order of time, public or not, at most `most`. */
  readonly concerned: (by: Concerned, most: number) => Effect.Effect<ReadonlyArray<KillmailKey>, SqlError.SqlError>
  readonly read: (keys: ReadonlyArray<KillmailKey>) => Effect.Effect<ReadonlyArray<KillmailRow>, SqlError.SqlError>
  /** Stores what differs, in one transaction, and notes it down to be told. Returns how many did. */
  readonly apply: (
    batch: ReadonlyArray<{ readonly key: KillmailKey; readonly appraisal: Appraisal }>
  ) => Effect.Effect<number, SqlError.SqlError>
  /** The newest revaluation's id; 0 when there is none. */
  readonly last: Effect.Effect<number, SqlError.SqlError>
  /** Public killmails that were revalued after this one, in order, each as it is now. */
  readonly after: (
    id: number,
    most: number
  ) => Effect.Effect<ReadonlyArray<{ readonly id: number; readonly row: KillmailRow }>, SqlError.SqlError>
}>()("killmaild/store/Revaluations") {
  static readonly layer = Layer.effect(
    Revaluations,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      /** An hour and a second after midnight the prices of the next day begin to count (`priceDay`). */
      const concerned: Revaluations["Service"]["concerned"] = (by, most) =>
        "day" in by
          ? sql<KillmailKey>`
            select killmail_id::float8 as id, killmail_time::text as time from killmails
            where killmail_time >= ${by.day}::date::timestamptz + interval '3601 seconds'
              and killmail_time < ${by.day}::date::timestamptz + interval '1 day 3601 seconds'
            order by killmail_time limit ${most}`
          : "typeIds" in by
          ? sql<KillmailKey>`
            select killmail_id::float8 as id, killmail_time::text as time
            from (
              select killmail_id, killmail_time from items
              where item_type_id = any(${
            pgColumn(by.typeIds, (id) => id)
          }::integer[]) and killmail_time >= ${by.since}::date
              union
              select killmail_id, killmail_time from killmails
              where victim_ship_type_id = any(${pgColumn(by.typeIds, (id) => id)}::integer[])
                and killmail_time >= ${by.since}::date
            ) as lost
            order by killmail_time limit ${most}`
          : sql<KillmailKey>`
            select killmail_id::float8 as id, killmail_time::text as time from killmails
            where valuation_version is null
            order by killmail_time desc limit ${most}`

      const keysOf = (keys: ReadonlyArray<KillmailKey>) =>
        sql`unnest(${pgColumn(keys, ({ time }) => time)}::timestamptz[], ${pgColumn(keys, ({ id }) => id)}::bigint[])`

      const read: Revaluations["Service"]["read"] = (keys) =>
        sql<KillmailRow>`
          select ${killmailColumns(sql)}
          from ${keysOf(keys)} as wanted(killmail_time, killmail_id)
          join killmails mail using (killmail_time, killmail_id)
          join killmail_ledger ledger using (killmail_id)`

      const write = Effect.fnUntraced(function*(batch: Parameters<Revaluations["Service"]["apply"]>[0]) {
        const changed = yield* sql<{ id: number; time: string }>`
          update killmails mail
          set (${sql.literal(appraisalColumns)}, labels) = (
            select ${sql.literal(prefixed("judged"))}, judged.labels::text[]
          )
          from unnest(
            ${pgColumn(batch, ({ key }) => key.time)}::timestamptz[],
            ${pgColumn(batch, ({ key }) => key.id)}::bigint[],
            ${appraisalArrays(sql, batch.map(({ appraisal }) => appraisal))}
          ) as judged(killmail_time, killmail_id, ${sql.literal(appraisalColumns)}, labels)
          where mail.killmail_time = judged.killmail_time and mail.killmail_id = judged.killmail_id
            and (${sql.literal(prefixed("mail"))}, mail.labels)
              is distinct from (${sql.literal(prefixed("judged"))}, judged.labels::text[])
          returning mail.killmail_id::float8 as id, mail.killmail_time::text as time`
        if (changed.length === 0) return 0
        yield* sql`select lock_revaluations()`
        yield* sql`
          insert into revaluations (killmail_id)
          select unnest(${pgColumn(changed, ({ id }) => id)}::bigint[])`
        yield* noteDaysOf(sql, changed.map(({ time }) => time))
        yield* sql`select pg_notify(${publicationsChannel}, '')`
        return changed.length
      })

      const last = Effect.map(
        sql<{ last: number }>`select coalesce(max(id), 0)::float8 as last from revaluations`,
        ([row]) => row!.last
      )

      const after: Revaluations["Service"]["after"] = (id, most) =>
        Effect.map(
          sql<KillmailRow & { readonly revaluation: number }>`
            select told.id::float8 as revaluation, ${killmailColumns(sql)}
            from (
              select id, killmail_id from revaluations where id > ${BigInt(id)} order by id limit ${most}
            ) as told
            join killmail_ledger ledger using (killmail_id)
            join killmails mail using (killmail_time, killmail_id)
            where ledger.sequence is not null
            order by told.id`,
          (rows) => rows.map((row) => ({ id: row.revaluation, row }))
        )

      return Revaluations.of({
        concerned,
        read,
        apply: (batch) => batch.length === 0 ? Effect.succeed(0) : sql.withTransaction(write(batch)),
        last,
        after
      })
    })
  )
}

const prefixed = (table: string): string =>
  appraisalColumns.split(",").map((column) => `${table}.${column.trim()}`).join(", ")
