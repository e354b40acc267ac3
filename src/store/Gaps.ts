/** What may be missing: gaps that feeds left, days that have fewer killmails here than at zKillboard, and what of it was found. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { KillmailRef } from "../domain/Killmail.ts"
import type { Day } from "../domain/Market.ts"
import { pgColumn } from "./PgArray.ts"
import { withheldIds } from "./WithheldKillmails.ts"

/** A day of which killmails may be missing, because of what a feed did not tell, or by its count. */
export interface Gap {
  readonly id: number
  /** `zkillboard` for a day that its count showed to be short. */
  readonly feed: string
  readonly reason: string
  /** The first number that is missing, and the first after it. */
  readonly from_cursor: number | null
  readonly to_cursor: number | null
  readonly day: Day
  readonly opened_at: Date
  readonly closed_at: Date | null
  /** Killmails of the day that were missing here and are somewhere else. */
  readonly found: number
}

export interface DayCount {
  readonly day: Day
  readonly upstream_total: number
  readonly stored: number
  /** Whether the day is to be complete here. */
  readonly kept: boolean
  readonly checked_at: Date
}

/** A day with open gaps. */
export interface OpenDay {
  readonly day: Day
  /** From when on its killmails were never announced; null without any feed. */
  readonly since: Date | null
}

export interface Completeness {
  readonly open: number
  /** Age of the oldest open gap, in seconds; 0 without any. */
  readonly oldestSeconds: number
  /** Of the killmails that zKillboard has of the days that are kept, the share that is here. */
  readonly ratio: number
}

/** What is the same after every try: it is not waited for. */
const passing = ["esi_unavailable", "esi_refused", "database"]
/** Days with open gaps that are looked at in one run, so that it ends. */
const mostDays = 100
const mostListed = 1000

export class Gaps extends Context.Service<Gaps, {
  /**
   * Counts ours beside the upstream's: the last two weeks at each call, other days once a day. A day that is to be complete
   * and is short opens a gap; returns how many did.
   */
  readonly compare: (totals: ReadonlyMap<Day, number>) => Effect.Effect<number, SqlError.SqlError>
  /** Days with open gaps, newest first. */
  readonly open: Effect.Effect<ReadonlyArray<OpenDay>, SqlError.SqlError>
  /** What of a list is not here: `absent` nobody is at work on, `coming` is in the queue. What is refused for good is neither. */
  readonly missing: (
    refs: ReadonlyArray<KillmailRef & { readonly key: string }>
  ) => Effect.Effect<{ readonly absent: ReadonlySet<number>; readonly coming: number }, SqlError.SqlError>
  /** So many killmails of the day are missing now. */
  readonly note: (day: Day, missing: number) => Effect.Effect<void, SqlError.SqlError>
  /**
   * Nothing of the day was missing by a list asked for at this time: closes what was open then. Returns whether anything was
   * found, in which case the day is counted anew for the statistics.
   */
  readonly close: (day: Day, askedAt: Date) => Effect.Effect<boolean, SqlError.SqlError>
  /** The newest, open ones first. */
  readonly list: Effect.Effect<ReadonlyArray<Gap>, SqlError.SqlError>
  /** The newest days. */
  readonly days: Effect.Effect<ReadonlyArray<DayCount>, SqlError.SqlError>
  readonly completeness: Effect.Effect<Completeness, SqlError.SqlError>
}>()("killmaild/store/Gaps") {
  static readonly layer = Layer.effect(
    Gaps,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      // A day that agreed is not counted again until the upstream's count changes; the days of late killmails are.
      const compare: Gaps["Service"]["compare"] = (totals) =>
        Effect.map(
          sql`
            with told as (
              select * from unnest(
                ${pgColumn([...totals.keys()], (day) => day)}::date[],
                ${pgColumn([...totals.values()], (total) => total)}::integer[]) as told(day, total)
            ),
            due as (
              select told.day, total, stored, told.day >= (now() at time zone 'UTC')::date - 14 as is_recent
              from told left join days using (day)
              where checked_at is null
                or checked_at < now() - interval '1 day'
                or told.day >= (now() at time zone 'UTC')::date - 14
            ),
            counted as (
              select day, total,
                case when stored = total and not is_recent then stored else (
                  select count(*)::integer from killmails
                  where killmail_time >= day::timestamp at time zone 'UTC'
                    and killmail_time < (day + 1)::timestamp at time zone 'UTC'
                    and killmail_id not in ${sql.literal(withheldIds)})
                end as stored,
                coalesce(day >= (select min(began_at at time zone 'UTC')::date from feed_cursors), false)
                  or exists (select from imports where imports.day = due.day and digest is not null) as kept
              from due
            ),
            noted as (
              insert into days (day, upstream_total, stored, kept)
              select day, total, stored, kept from counted
              on conflict (day) do update set upstream_total = excluded.upstream_total, stored = excluded.stored,
                kept = excluded.kept, checked_at = now()
              returning *
            )
            insert into gaps (feed, reason, day)
            select 'zkillboard', 'short', day from noted
            where kept and stored < upstream_total and compared_total is distinct from upstream_total
              and not exists (select from gaps where gaps.day = noted.day and closed_at is null)
            returning 1`,
          (opened) => opened.length
        )

      // All feeds may be silent still: then their gap is not noted yet.
      const open = sql<OpenDay>`
        select day::text as day, least(min(since), (select max(heard_at) from feed_cursors)) as since
        from gaps
        where closed_at is null
        group by day
        order by gaps.day desc
        limit ${mostDays}`

      const missing: Gaps["Service"]["missing"] = (refs) =>
        Effect.map(
          sql<{ id: number; is_coming: boolean }>`
            select ref.id::float8 as id, jobs.key is not null as is_coming
            from unnest(
              ${pgColumn(refs, (ref) => ref.killmail_id)}::bigint[],
              ${pgColumn(refs, (ref) => ref.key)}::text[]) as ref(id, key)
            left join graphile_worker._private_jobs jobs using (key)
            where (not exists (select from killmail_ledger where killmail_id = ref.id)
                or ref.id in ${sql.literal(withheldIds)})
              and not exists (
                select from dead_letters letters
                where task = 'ingest_killmail' and letters.key = ref.key and reason <> all(${passing}::text[]))`,
          (rows) => ({
            absent: new Set(rows.filter(({ is_coming }) => !is_coming).map(({ id }) => id)),
            coming: rows.filter(({ is_coming }) => is_coming).length
          })
        )

      const note: Gaps["Service"]["note"] = (day, missing) =>
        Effect.asVoid(sql`
          update gaps set found = greatest(found, ${missing}) where day = ${day}::date and closed_at is null`)

      const close: Gaps["Service"]["close"] = (day, askedAt) =>
        sql.withTransaction(Effect.gen(function*() {
          yield* sql`update days set compared_total = upstream_total where day = ${day}::date`
          const closed = yield* sql<{ found: number }>`
            update gaps set closed_at = clock_timestamp()
            where day = ${day}::date and closed_at is null and opened_at < ${askedAt}::timestamptz
            returning found`
          const isChanged = closed.some(({ found }) => found > 0)
          if (isChanged) yield* sql`insert into statistics_due (day) values (${day}::date)`
          return isChanged
        }))

      const list = sql<Gap>`
        select id::float8 as id, feed, reason, from_cursor::float8 as from_cursor, to_cursor::float8 as to_cursor,
          day::text as day, opened_at, closed_at, found
        from gaps
        order by closed_at is not null, gaps.id desc
        limit ${mostListed}`

      const days = sql<DayCount>`
        select day::text as day, upstream_total, stored, kept, checked_at from days
        order by days.day desc
        limit ${mostListed}`

      const completeness = Effect.map(
        sql<Completeness>`
          select count(*)::integer as open,
            coalesce(extract(epoch from now() - min(opened_at)), 0)::float8 as "oldestSeconds",
            (select coalesce(sum(least(stored, upstream_total))::float8 / nullif(sum(upstream_total), 0), 1)
              from days where kept) as ratio
          from gaps where closed_at is null`,
        ([row]) => row!
      )

      return Gaps.of({ compare, open, missing, note, close, list, days, completeness })
    })
  )
}
