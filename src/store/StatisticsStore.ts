/**
 * Keeps the statistics true to the killmails. New publications are added in order of sequence; a day that changed otherwise
 * (an import, new values, a late release) is counted anew, and what differs is added. Whoever counts holds the row of
 * `statistics_progress`, and moves it in the transaction that adds: so each killmail counts once, whatever dies.
 */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { Day } from "../domain/Market.ts"
import { pgColumn } from "./PgArray.ts"
import { addCounts, addToDays, countedBefore, countsOf, type Selection } from "./StatisticsCounts.ts"
import { noteDaysOf } from "./StatisticsDue.ts"

/** What is still to be counted. */
export interface Backlog {
  readonly publications: number
  /** Days that changed since they were counted. */
  readonly days: number
}

/** When a day that changes is counted anew, in milliseconds: after so long without a change, or since the first of them. */
export interface Patience {
  readonly quietMillis: number
  readonly longestMillis: number
}

export class StatisticsStore extends Context.Service<StatisticsStore, {
  /** Adds the next publications, at most `most`; returns how many it was. 0 also while another replica counts. */
  readonly addPublications: (most: number) => Effect.Effect<number, SqlError.SqlError>
  /** Notes the days of killmails that were held back, and whose time has come. */
  readonly noteReleased: Effect.Effect<void, SqlError.SqlError>
  /** Counts the newest day anew that is to be, or the month of one whose days are not kept; says which. */
  readonly recountNext: (patience: Patience) => Effect.Effect<Option.Option<Day>, SqlError.SqlError>
  /** Throws away the oldest day that is kept no longer; the months have it. Says whether there was one. */
  readonly forgetDay: Effect.Effect<boolean, SqlError.SqlError>
  /** Forgets all numbers; what is stored becomes the backlog. */
  readonly restart: Effect.Effect<void, SqlError.SqlError>
  readonly backlog: Effect.Effect<Backlog, SqlError.SqlError>
}>()("killmaild/store/StatisticsStore") {
  static readonly layer = Layer.effect(
    StatisticsStore,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      /** Nobody else counts until the transaction ends; none when somebody does. */
      const progress = Effect.map(
        sql<Progress>`
          select sequence::text as sequence, days_since::text as "daysSince"
          from statistics_progress
          for update skip locked`,
        ([row]) => Option.fromNullishOr(row)
      )

      const counting = <A>(otherwise: A, work: (progress: Progress) => Effect.Effect<A, SqlError.SqlError>) =>
        sql.withTransaction(
          Effect.flatMap(progress, Option.match({ onNone: () => Effect.succeed(otherwise), onSome: work }))
        )

      const addPublications: StatisticsStore["Service"]["addPublications"] = (most) =>
        counting(0, ({ daysSince, sequence }) =>
          Effect.gen(function*() {
            const page = yield* sql<Publication>`
              select killmail_id::text as id, killmail_time::text as time, sequence::text as sequence,
                visible_from > stored_at as "wasHeldBack"
              from killmail_ledger
              where sequence > ${sequence}::bigint
              order by killmail_ledger.sequence
              limit ${most}`
            const last = page.at(-1)
            if (last === undefined) return 0
            // Of one that was held back nobody knows whether it was counted: its day is.
            yield* noteDaysOf(sql, page.filter(({ wasHeldBack }) => wasHeldBack).map(({ time }) => time))
            const fresh = page.filter(({ wasHeldBack }) => !wasHeldBack)
            if (fresh.length > 0) {
              const these: Selection = {
                within: (table) =>
                  sql`${sql(table)}.killmail_time = any(${pgColumn(fresh, ({ time }) => time)}::timestamptz[])`,
                only: sql`mail.killmail_id = any(${pgColumn(fresh, ({ id }) => id)}::bigint[])`,
                day: sql`(mail.killmail_time at time zone 'UTC')::date`
              }
              yield* addCounts(sql, countsOf(sql, these), daysSince)
              yield* addToDays(sql, these)
            }
            yield* sql`update statistics_progress set sequence = ${last.sequence}::bigint`
            return page.length
          }))

      // A minute back: whoever held one back may have been slow to commit. A day that is noted twice is counted once.
      const noteReleased = Effect.asVoid(counting(0, () =>
        Effect.as(
          sql`
            with released as (
              insert into statistics_due (day)
              select distinct (killmail_time at time zone 'UTC')::date
              from killmail_ledger, statistics_progress
              where killmail_ledger.sequence is null and visible_from > stored_at
                and visible_from > released_until and visible_from <= now()
            )
            update statistics_progress set released_until = now() - interval '1 minute'`,
          0
        )))

      const recountNext: StatisticsStore["Service"]["recountNext"] = ({ longestMillis, quietMillis }) =>
        counting(Option.none<Day>(), ({ daysSince, sequence }) =>
          Effect.gen(function*() {
            const [next] = yield* sql<Due>`
              select period, start::text as start, (start + ('1 ' || period)::interval)::date::text as until
              from (
                select case when day >= ${daysSince}::date then 'day' else 'month' end as period,
                  case when day >= ${daysSince}::date then day else date_trunc('month', day)::date end as start, noted_at
                from statistics_due
              ) as due
              group by period, start
              having max(noted_at) <= clock_timestamp() - ${quietMillis} * interval '1 millisecond'
                or min(noted_at) <= clock_timestamp() - ${longestMillis} * interval '1 millisecond'
              order by start desc
              limit 1`
            if (next === undefined) return Option.none<Day>()
            const { period, start, until } = next
            // What is noted from here on is not in what the next statement sees, or counted twice, which changes nothing.
            yield* sql`delete from statistics_due where day >= ${start}::date and day < ${until}::date`
            const these: Selection = {
              within: (table) =>
                sql`${sql(table)}.killmail_time >= ${`${start}T00:00:00Z`}::timestamptz
                  and ${sql(table)}.killmail_time < ${`${until}T00:00:00Z`}::timestamptz`,
              // Not those that are still to be added, and not those that are not public: they are few.
              only: sql`mail.killmail_id not in (
                  select killmail_id from killmail_ledger where sequence > ${sequence}::bigint
                  union all
                  select killmail_id from killmail_ledger
                  where sequence is null and visible_from > stored_at and visible_from > now()
                )`,
              day: sql`${start}::date`
            }
            const counts = sql`${countsOf(sql, these)} union all ${countedBefore(sql, period, start)}`
            yield* addCounts(sql, counts, daysSince)
            yield* sql`delete from killmails_by_day where day >= ${start}::date and day < ${until}::date`
            yield* addToDays(sql, these)
            return Option.some(start)
          }))

      const forgetDay = counting(false, ({ daysSince }) =>
        Effect.gen(function*() {
          const rows = yield* sql<{ since: Day }>`
            update statistics_progress set days_since = statistics_days_since()
            where days_since < statistics_days_since()
            returning days_since::text as since`
          const gone = yield* sql`
            delete from statistics
            where period = 'day' and start = (
              select min(start) from statistics
              where period = 'day' and start < ${rows[0]?.since ?? daysSince}::date)
            returning 1`
          return gone.length > 0
        }))

      const restart = Effect.asVoid(sql.withTransaction(sql`select restart_statistics()`))

      const backlog = Effect.map(
        sql<Backlog>`
          select
            (select coalesce(max(sequence), 0) from killmail_ledger)::float8 - sequence::float8 as publications,
            (select count(distinct day) from statistics_due)::int as days
          from statistics_progress`,
        ([row]) => row!
      )

      return StatisticsStore.of({ addPublications, noteReleased, recountNext, forgetDay, restart, backlog })
    })
  )
}

/** Up to which publication all is counted, and from which day on days are kept. */
interface Progress {
  readonly sequence: string
  readonly daysSince: Day
}

interface Publication {
  readonly id: string
  readonly time: string
  readonly sequence: string
  readonly wasHeldBack: boolean
}

interface Due {
  readonly period: "day" | "month"
  readonly start: Day
  readonly until: Day
}
