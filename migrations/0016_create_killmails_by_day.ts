/** How many public killmails each day has, for ever: the statistics keep their own days for 400 days only. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`
    create table killmails_by_day (
      day date primary key,
      killmails integer not null
    )`
  yield* sql`comment on table killmails_by_day is 'public killmails by the day (UTC) of the kill, as far as the statistics count'`

  // Those that the statistics are still to count are added with them.
  yield* sql`
    insert into killmails_by_day (day, killmails)
    select (killmail_time at time zone 'UTC')::date, count(*)
    from killmails
    where killmail_id not in (
        select killmail_id
        from killmail_ledger
        where sequence > (select sequence from statistics_progress)
          or (sequence is null and visible_from > stored_at and visible_from > now())
      )
    group by 1`

  yield* sql`
    create or replace function restart_statistics() returns void
    language sql as $$
      insert into statistics_progress (sequence, released_until, days_since)
      select coalesce(max(sequence), 0), now() - interval '1 minute', statistics_days_since() from killmail_ledger
      on conflict (singleton) do update
      set sequence = excluded.sequence, released_until = excluded.released_until, days_since = excluded.days_since;
      truncate statistics, killmails_by_day;
      delete from statistics_due;
      insert into statistics_due (day, noted_at)
      select day::date, '-infinity'
      from generate_series('2003-05-01'::timestamp, now() at time zone 'UTC' + interval '2 months', interval '1 day') day
      where to_regclass('killmails_' || to_char(day, 'YYYY_MM')) is not null;
    $$`
})
