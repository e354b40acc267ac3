/** Which day archives were read into the tables, how far those are that are being read now, and which months are frozen. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  // `digest` is the MD5 of the archive, which is its ETag at EVE Ref, and `listed` what EVE Ref's list said of it; both are
  // null until all of it was read. An archive that was edited has another digest, and is read again.
  yield* sql`
    create table imports (
      source text not null,
      day date not null,
      digest text,
      listed text,
      bytes bigint not null,
      bytes_read bigint not null default 0,
      killmails integer not null default 0,
      stored integer not null default 0,
      asked integer not null default 0,
      refused integer not null default 0,
      began_at timestamptz not null default clock_timestamp(),
      ended_at timestamptz,
      error text,
      primary key (source, day)
    )`
  yield* sql`comment on column imports.asked is 'killmails without a body that fits: ESI is asked for them'`
  yield* sql`comment on column imports.refused is 'members that hold no killmail, or none that fits: see dead_letters'`

  // Months of the past without indexes for searches, that no import is going to fill any more.
  yield* sql`
    create function unindexed_months() returns setof date
    language sql stable as $$
      select month::date
      from generate_series('2003-05-01'::timestamp, now() at time zone 'UTC' + interval '1 year', interval '1 month') month
      where to_regclass('items_' || to_char(month, 'YYYY_MM')) is not null
        and to_regclass('items_' || to_char(month, 'YYYY_MM') || '_by_type') is null
        and not exists (
          select from graphile_worker._private_jobs where key like 'import_day:' || to_char(month, 'YYYY-MM') || '-%')
    $$`

  yield* sql`
    create table frozen_months (
      month date primary key,
      frozen_at timestamptz not null default clock_timestamp()
    )`

  // Months that ended so many days ago, have their indexes, and were filled since they were frozen, if they ever were.
  yield* sql`
    create function unfrozen_months(days integer) returns setof date
    language sql stable as $$
      select month::date
      from generate_series(
        '2003-05-01'::timestamp, now() at time zone 'UTC' - interval '1 month' - days * interval '1 day', interval '1 month'
      ) series(month)
      where to_regclass('items_' || to_char(month, 'YYYY_MM') || '_by_type') is not null
        and not exists (
          select from graphile_worker._private_jobs where key like 'import_day:' || to_char(month, 'YYYY-MM') || '-%')
        and not exists (
          select from frozen_months
          where frozen_months.month = series.month
            and frozen_at > all (
              select ended_at from imports
              where stored > 0 and day >= frozen_months.month and day < frozen_months.month + interval '1 month'))
      order by month
    $$`
})
