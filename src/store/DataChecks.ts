/** What `check-data` asks of the database: each question takes seconds at most, however many killmails there are. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { KillmailRow } from "../domain/Document.ts"
import type { Day } from "../domain/Market.ts"
import { killmailColumns } from "./KillmailReader.ts"
import { pgColumn } from "./PgArray.ts"
import type { KillmailKey } from "./Revaluations.ts"

/** Whether all parts of a killmail are there. */
export interface Parts {
  readonly id: number
  readonly inLedger: boolean
  readonly inKillmails: boolean
  /** As many as were counted when it was stored, each once; so the items. */
  readonly hasAttackers: boolean
  readonly hasItems: boolean
}

export interface CheckedRow extends KillmailRow {
  /** What zKillboard says of it; null is nothing. */
  readonly zkb: unknown
  /** Null while it was appraised without some of the static data. */
  readonly valuation_version: number | null
}

/** Publications that are looked at: the newest, and windows that are drawn at random. */
const newestPublications = 100_000
const windows = 100
const windowSize = 1000
/** Seconds after which a lock of a pool that does not answer is nobody's; a daemon that lives sees to it in ten. */
const deadAfter = 30

export class DataChecks extends Context.Service<DataChecks, {
  /** About how many killmails there are. */
  readonly count: Effect.Effect<number, SqlError.SqlError>
  /** The newest `size` of the ledger, as many of the ledger drawn at random, and as many of the tables. */
  readonly sample: (size: number) => Effect.Effect<ReadonlyArray<KillmailKey>, SqlError.SqlError>
  /** All of a day, of the ledger and the tables. */
  readonly ofDay: (day: Day) => Effect.Effect<ReadonlyArray<KillmailKey>, SqlError.SqlError>
  readonly parts: (keys: ReadonlyArray<KillmailKey>) => Effect.Effect<ReadonlyArray<Parts>, SqlError.SqlError>
  readonly read: (keys: ReadonlyArray<KillmailKey>) => Effect.Effect<ReadonlyArray<CheckedRow>, SqlError.SqlError>
  /** A few sequences that are lacking among those looked at. */
  readonly missingSequences: Effect.Effect<ReadonlyArray<number>, SqlError.SqlError>
  /** Tables that the next `days` days will want and that are not there. */
  readonly missingPartitions: (days: number) => Effect.Effect<ReadonlyArray<string>, SqlError.SqlError>
  /** Keys of jobs that a dead pool has locked. */
  readonly deadLocks: Effect.Effect<ReadonlyArray<string>, SqlError.SqlError>
  /** Whether killmails are still to be valued anew: what is stored may differ from what would be now. */
  readonly isRevaluing: Effect.Effect<boolean, SqlError.SqlError>
  /** The newest day of which a file of prices was read. */
  readonly newestPriceDay: Effect.Effect<Day | null, SqlError.SqlError>
}>()("killmaild/store/DataChecks") {
  static readonly layer = Layer.effect(
    DataChecks,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const count = Effect.map(
        sql<{ count: number }>`
          select case when reltuples < 10000 then (select count(*) from killmail_ledger) else reltuples end::float8 as count
          from pg_class
          where oid = 'killmail_ledger'::regclass`,
        ([row]) => row!.count
      )

      const sample: DataChecks["Service"]["sample"] = (size) =>
        sql<KillmailKey>`
          with newest as (
            select killmail_id, killmail_time from killmail_ledger
            where sequence is not null
            order by sequence desc
            limit ${size}
          ),
          ids as (
            select floor(low + random() * (high - low))::bigint as id
            from (select min(killmail_id) as low, max(killmail_id) as high from killmail_ledger) as bounds,
              generate_series(1, ${size})
          ),
          of_ledger as (
            select drawn.* from ids
            cross join lateral (
              select killmail_id, killmail_time from killmail_ledger
              where killmail_id >= ids.id
              order by killmail_id
              limit 1
            ) as drawn
          ),
          times as materialized (
            select low + random() * (high - low) as time
            from (select min(killmail_time) as low, max(killmail_time) as high from of_ledger) as bounds,
              generate_series(1, ${size})
          ),
          of_tables as (
            select drawn.* from times
            cross join lateral (
              select killmail_id, killmail_time from killmails
              where killmail_time >= times.time
              order by killmail_time, killmail_id
              limit 1
            ) as drawn
          )
          select killmail_id::float8 as id, killmail_time::text as time
          from (table newest union table of_ledger union table of_tables) as sample
          order by killmail_time, killmail_id`

      // Ids rise with time: those of the days around bound what the ledger, which knows no order by time, is asked for.
      const ofDay: DataChecks["Service"]["ofDay"] = (day) =>
        sql<KillmailKey>`
          with bounds as (
            select min(killmail_id) as low, max(killmail_id) as high from killmails
            where killmail_time >= ${day}::date::timestamptz - interval '1 day'
              and killmail_time < ${day}::date::timestamptz + interval '2 days'
          )
          select killmail_id::float8 as id, killmail_time::text as time
          from (
            select killmail_id, killmail_time from killmails
            where killmail_time >= ${day}::date::timestamptz
              and killmail_time < ${day}::date::timestamptz + interval '1 day'
            union
            select killmail_id, killmail_time from killmail_ledger
            where killmail_id between coalesce((select low from bounds), 0)
                and coalesce((select high from bounds), 9223372036854775807)
              and killmail_time >= ${day}::date::timestamptz
              and killmail_time < ${day}::date::timestamptz + interval '1 day'
          ) as of_day
          order by killmail_time, killmail_id`

      const keysOf = (keys: ReadonlyArray<KillmailKey>) =>
        sql`unnest(${pgColumn(keys, ({ time }) => time)}::timestamptz[], ${pgColumn(keys, ({ id }) => id)}::bigint[])
          as key(killmail_time, killmail_id)`

      const parts: DataChecks["Service"]["parts"] = (keys) =>
        sql<Parts>`
          select key.killmail_id::float8 as id, ledger.killmail_id is not null as "inLedger",
            mail.killmail_id is not null as "inKillmails",
            attackers.dense and attackers.count = mail.attacker_count as "hasAttackers", items.dense as "hasItems"
          from ${keysOf(keys)}
          left join killmail_ledger ledger using (killmail_time, killmail_id)
          left join killmails mail using (killmail_time, killmail_id)
          cross join lateral (
            select count(*) as count,
              count(distinct ordinal) = count(*) and coalesce(max(ordinal), -1) = count(*) - 1 as dense
            from attackers
            where attackers.killmail_time = key.killmail_time and attackers.killmail_id = key.killmail_id
          ) as attackers
          cross join lateral (
            select count(distinct ordinal) = count(*) and coalesce(max(ordinal), -1) = count(*) - 1
              and coalesce(bool_and(parent_ordinal is null or parent_ordinal < ordinal), true) as dense
            from items
            where items.killmail_time = key.killmail_time and items.killmail_id = key.killmail_id
          ) as items`

      const read: DataChecks["Service"]["read"] = (keys) =>
        sql<CheckedRow>`
          select ${killmailColumns(sql)}, mail.zkb, mail.valuation_version
          from ${keysOf(keys)}
          join killmails mail using (killmail_time, killmail_id)
          join killmail_ledger ledger using (killmail_time, killmail_id)`

      const missingSequences = Effect.map(
        sql<{ sequence: number }>`
          with newest as (select coalesce(max(sequence), 0) as last from killmail_ledger),
          windows as materialized (
            select greatest(1, last - ${newestPublications - 1}) as low, last as high from newest
            union all
            select low, least(last, low + ${windowSize - 1})
            from (
              select last, 1 + floor(random() * last)::bigint as low from newest, generate_series(1, ${windows})
            ) as drawn
          ),
          lacking as (
            select low, high from windows
            where high >= low and high - low + 1 <> (
              select count(*) from killmail_ledger where sequence between low and high)
            limit 1
          )
          select sequence::float8 as sequence
          from (
            select generate_series(low, high) from lacking
            except
            select sequence from killmail_ledger, lacking where sequence between low and high
          ) as missing(sequence)
          order by 1
          limit 5`,
        (rows) => rows.map(({ sequence }) => sequence)
      )

      const missingPartitions: DataChecks["Service"]["missingPartitions"] = (days) =>
        Effect.map(
          sql<{ name: string }>`
            select parent || to_char(month, '_YYYY_MM') as name
            from unnest('{killmails,attackers,items}'::text[]) as parent,
              generate_series(
                date_trunc('month', now() at time zone 'UTC'),
                now() at time zone 'UTC' + ${days} * interval '1 day',
                interval '1 month'
              ) as month
            where not exists (
              select from pg_inherits
              where inhparent = parent::regclass and inhrelid = to_regclass(parent || to_char(month, '_YYYY_MM')))
            order by 1`,
          (rows) => rows.map(({ name }) => name)
        )

      const deadLocks = Effect.map(
        sql<{ key: string }>`
          select coalesce(key, id::text) as key
          from graphile_worker._private_jobs
          where locked_at < now() - ${deadAfter} * interval '1 second'
            and not exists (
              select from job_pools
              where pool_id = locked_by and ended_at is null
                and heartbeat_at > clock_timestamp() - ${deadAfter} * interval '1 second')
          order by locked_at`,
        (rows) => rows.map(({ key }) => key)
      )

      const isRevaluing = Effect.map(
        sql<{ pending: boolean }>`
          select exists (select from price_arrivals)
            or exists (select from graphile_worker.jobs where task_identifier = 'revalue_killmails') as pending`,
        ([row]) => row!.pending
      )

      const newestPriceDay = Effect.map(
        sql<{ day: Day | null }>`select max(day) as day from price_days`,
        ([row]) => row!.day
      )

      return DataChecks.of({
        count,
        sample,
        ofDay,
        parts,
        read,
        missingSequences,
        missingPartitions,
        deadLocks,
        isRevaluing,
        newestPriceDay
      })
    })
  )
}
