/** Statistics: what everybody killed and lost, by day, by month and of all time, and how far they were counted. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`create type statistics_period as enum ('day', 'month', 'all')`
  yield* sql`create type statistics_kind as enum ('character', 'corporation', 'alliance', 'type', 'system', 'region')`

  // One row for whoever was on a killmail of the period. By period first: a day is written, counted anew and thrown away
  // as one piece of the table, and whoever reads one entity skips from period to period.
  yield* sql`
    create table statistics (
      period statistics_period not null,
      start date not null,
      kind statistics_kind not null,
      id bigint not null,
      kills integer not null,
      losses integer not null,
      npc_losses integer not null,
      solo_kills integer not null,
      solo_losses integer not null,
      final_blows integer not null,
      points bigint not null,
      damage_done bigint not null,
      damage_taken bigint not null,
      isk_destroyed numeric not null,
      isk_lost numeric not null,
      primary key (period, start, kind, id)
    )`
  yield* sql`comment on column statistics.start is 'first day of the period; of all time, the day that EVE opened'`
  yield* sql`comment on column statistics.kills is
    'killmails with it among the attackers, each once; of systems and regions, killmails there'`

  // The only row belongs to whoever counts. Publications up to `sequence` are counted, and killmails that were held back
  // until `released_until`. Days are kept apart from `days_since` on, the first of a month; of older months only the sum is.
  yield* sql`
    create table statistics_progress (
      singleton boolean primary key default true check (singleton),
      sequence bigint not null,
      released_until timestamptz not null,
      days_since date not null
    )`

  // Days to be counted anew, as something else than a publication changed them: imports, new values, late releases. Whoever
  // changes killmails adds a row in the same transaction, and waits for nobody.
  yield* sql`
    create table statistics_due (
      day date not null,
      noted_at timestamptz not null default clock_timestamp()
    )`
  yield* sql`create index on statistics_due (day)`

  // Held back, or was; `stored_at` and `visible_from` of all others are the same moment.
  yield* sql`
    create index killmail_ledger_held_back on killmail_ledger (visible_from)
    where sequence is null and visible_from > stored_at`

  // Days are kept for 400 days, and for whole months.
  yield* sql`
    create function statistics_days_since() returns date
    language sql stable
    return date_trunc('month', now() at time zone 'UTC' - interval '400 days')::date`

  // Everything from the start: all that was published is counted with its day.
  yield* sql`
    create function restart_statistics() returns void
    language sql as $$
      insert into statistics_progress (sequence, released_until, days_since)
      select coalesce(max(sequence), 0), now() - interval '1 minute', statistics_days_since() from killmail_ledger
      on conflict (singleton) do update
      set sequence = excluded.sequence, released_until = excluded.released_until, days_since = excluded.days_since;
      truncate statistics;
      delete from statistics_due;
      insert into statistics_due (day, noted_at)
      select day::date, '-infinity'
      from generate_series('2003-05-01'::timestamp, now() at time zone 'UTC' + interval '2 months', interval '1 day') day
      where to_regclass('killmails_' || to_char(day, 'YYYY_MM')) is not null;
    $$`
  yield* sql`select restart_statistics()`
})
