/**
 * Where what fits a filter can be: most pilots were in few of the 200 months that there are. The statistics know it; a month
 * with something that they have not counted yet may hold anything.
 */
import { Effect } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import type { Filter, Role } from "../domain/Filter.ts"
import { type Driver, driversOf } from "./FilterSql.ts"
import { pgArray } from "./PgArray.ts"

export interface ActiveMonth {
  /** Its first day. */
  readonly month: string
  /** At most so many fit, as far as they are counted; 0 where they are not. */
  readonly killmails: number
}

const kinds: Readonly<Record<Driver, string>> = {
  character: "character",
  corporation: "corporation",
  alliance: "alliance",
  ship: "type",
  system: "system"
}

/** Of a row of `statistics`. Who killed himself has lost, and not killed: only losses tell who was a victim. */
const countOf = (role: Role = "any"): string => role === "victim" ? "losses" : "kills + losses"

const counted = (sql: SqlClient.SqlClient, filter: Filter, period: "month" | "all") => (driver: Driver) =>
  sql`
    select ${driver} as driver, start as month, sum(${
    sql.literal(driver === "system" ? "kills" : countOf(filter.role))
  })::float8 as killmails
    from statistics
    where period = ${period}::statistics_period and kind = ${kinds[driver]}::statistics_kind
      and id = any(${pgArray(filter[driver]!)}::bigint[])
    group by start`

/** The statistics have a row for each id and month: with more ids than this, asking them would take longer than looking. */
const mostIds = 20

/** Fields of the filter of which the statistics are asked. */
const askedOf = (filter: Filter) => driversOf(filter).filter((driver) => filter[driver]!.length <= mostIds)

const together = (sql: SqlClient.SqlClient, parts: ReadonlyArray<Statement.Fragment>) =>
  sql.join(" union all ", false)(parts)

/** The field of the filter with the fewest killmails of all time; none where no index serves any. */
export const leadingDriver = Effect.fnUntraced(function*(sql: SqlClient.SqlClient, filter: Filter) {
  const drivers = driversOf(filter)
  if (drivers.length < 2) return drivers[0]
  const known = yield* sql<{ driver: Driver; killmails: number }>`${
    together(sql, drivers.map(counted(sql, filter, "all")))
  }`
  const killmailsOf = (driver: Driver) => known.find((row) => row.driver === driver)?.killmails ?? 0
  return drivers.toSorted((a, b) => killmailsOf(a) - killmailsOf(b))[0]
})

/**
 * Months that begin before a time and in which each of the fields that an index serves had killmails, newest first; undefined
 * where nothing is known. One snapshot: nothing falls between its parts.
 */
export const activeMonths = Effect.fnUntraced(function*(sql: SqlClient.SqlClient, filter: Filter, before: string) {
  const drivers = askedOf(filter)
  if (drivers.length === 0) return undefined
  return yield* sql<ActiveMonth>`
    select to_char(month, 'YYYY-MM-DD') as month, sum(killmails) as killmails
    from (
      select month, min(killmails) as killmails
      from (${together(sql, drivers.map(counted(sql, filter, "month")))}) as active
      where killmails > 0
      group by month
      having count(*) = ${drivers.length}
      union all
      select date_trunc('month', day::timestamp)::date, 0
      from statistics_due
      union all
      select date_trunc('month', killmail_time at time zone 'UTC')::date, 0
      from killmail_ledger
      where sequence > (select sequence from statistics_progress)
      union all
      select date_trunc('month', killmail_time at time zone 'UTC')::date, 0
      from killmail_ledger
      where sequence is null and visible_from > stored_at and visible_from <= now()
        and visible_from > (select released_until from statistics_progress)
    ) as possible
    where month at time zone 'UTC' < ${before}::timestamptz
    group by month
    order by possible.month desc`
})
