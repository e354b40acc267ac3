/**
 * In which months somebody was on a killmail: most pilots were in few of the 200 that there are. The statistics know it of the
 * months whose days are kept no longer; a month with something that they have not counted yet is one of them, too.
 */
import type { SqlClient } from "effect/sql"
import type { Driver } from "./FilterSql.ts"
import { pgArray } from "./PgArray.ts"

/** Months for which `statistics` has days as well, or instead: it is not to be asked about these. */
export const monthsWithDays = 15

const kinds: Readonly<Record<Driver, string>> = {
  character: "character",
  corporation: "corporation",
  alliance: "alliance",
  ship: "type",
  system: "system"
}

/** First days of the months that begin before a time, newest first. One snapshot: nothing falls between its parts. */
export const activeMonths = (
  sql: SqlClient.SqlClient,
  driver: Driver,
  ids: ReadonlyArray<number>,
  before: string
) =>
  sql<{ month: string }>`
    select distinct to_char(month, 'YYYY-MM-DD') as month
    from (
      select start as month
      from statistics
      where period = 'month' and kind = ${kinds[driver]}::statistics_kind and id = any(${pgArray(ids)}::bigint[])
      union all
      select date_trunc('month', day::timestamp)::date
      from statistics_due
      union all
      select date_trunc('month', killmail_time at time zone 'UTC')::date
      from killmail_ledger
      where sequence > (select sequence from statistics_progress)
      union all
      select date_trunc('month', killmail_time at time zone 'UTC')::date
      from killmail_ledger
      where sequence is null and visible_from > stored_at and visible_from <= now()
        and visible_from > (select released_until from statistics_progress)
    ) active
    where month at time zone 'UTC' < ${before}::timestamptz
    order by month desc`
