/** Feeds: who named which killmail and when, how far each was read and what it lacks, who leads it, and the way into the queue. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`
    create table sightings (
      killmail_id bigint not null,
      source text not null,
      heard_at timestamptz not null default clock_timestamp()
    )`
  yield* sql`create index on sightings (killmail_id)`
  // They come in the order of this time, and go in it.
  yield* sql`create index on sightings using brin (heard_at) with (pages_per_range = 32)`

  yield* sql`
    create table feed_cursors (
      feed text primary key,
      cursor bigint,
      began_at timestamptz not null default now(),
      moved_at timestamptz not null default now(),
      heard_at timestamptz
    )`

  // What a feed did not tell, or a day lacks: one row for each day of which killmails may be missing. What was killed after
  // \`since\` was never announced, and is when it is found; without it, nothing is.
  yield* sql`
    create table gaps (
      id bigint generated always as identity primary key,
      feed text not null,
      reason text not null,
      from_cursor bigint,
      to_cursor bigint,
      day date not null,
      since timestamptz,
      opened_at timestamptz not null default clock_timestamp(),
      closed_at timestamptz,
      found integer not null default 0
    )`
  yield* sql`create index on gaps (day) where closed_at is null`
  yield* sql`comment on column gaps.to_cursor is 'the first number after those that are missing'`
  yield* sql`comment on column gaps.found is 'killmails of this day that were missing here and are somewhere else'`

  // Killmails are heard of some minutes after the kill, so what was published after midnight may be of the day before.
  yield* sql`
    create function open_gaps(
      feed text, reason text, from_cursor bigint, to_cursor bigint, since timestamptz, until timestamptz
    ) returns void
    language sql as $$
      insert into gaps (feed, reason, from_cursor, to_cursor, day, since)
      select open_gaps.feed, open_gaps.reason, open_gaps.from_cursor, open_gaps.to_cursor, day, open_gaps.since
      from generate_series(
        date_trunc('day', (open_gaps.since - interval '15 minutes') at time zone 'UTC'),
        greatest(open_gaps.since, until) at time zone 'UTC',
        interval '1 day') day
    $$`

  // zKillboard's count of each day beside ours. Those are kept complete that a feed was heard on, or that were imported. A day
  // whose list was compared is not compared again at the same count: some killmails cannot be had from anybody.
  yield* sql`
    create table days (
      day date primary key,
      upstream_total integer not null,
      stored integer not null,
      kept boolean not null,
      checked_at timestamptz not null default now(),
      compared_total integer
    )`

  // A term fences: whoever holds an older one can move no cursor.
  yield* sql`
    create table leases (
      name text primary key,
      holder text not null,
      term bigint not null,
      application_name text not null,
      expires_at timestamptz not null
    )`

  // What a backfill has to ask ESI for stands in line, at nine tenths of the pace that ESI allows, 2 tokens a killmail.
  // A hundred thousand jobs that are all due would be fetched and put back again and again, before those that are live.
  yield* sql`
    create function backfill_step() returns interval
    language plpgsql stable as $$
    begin
      return coalesce(
        (select window_millis / (token_limit / 2 * 0.9) from rate_limits where bucket = 'esi:killmail'),
        900000 / (3600 / 2 * 0.9)
      ) * interval '1 millisecond';
    end $$`
  yield* sql`
    create function backfill_line() returns timestamptz
    language sql volatile as $$
    select greatest(now(), max(run_at))
    from graphile_worker._private_jobs
    where is_available and priority = 30
      and task_id = (select id from graphile_worker._private_tasks where identifier = 'ingest_killmail')
    $$`

  // Records sightings and adds the jobs that are needed; one element of each array is one naming of a killmail. A payload
  // is { killmail_id, hash, source, heard_at, body?, zkb?, traceparent? }. Known killmails need no job; a withheld one is
  // released by a public sighting. Of two hearings of the same mail one job remains, and a body is never replaced by
  // none. What ESI refused for good is not asked again, unless the body came along. A body of null is none. Returns the
  // number of jobs added or replaced.
  // New keys, which nearly all are, go into the queue as graphile_worker.add_jobs would put them there: it looks through
  // the whole queue for jobs of the same keys. And no plan that was made for a short queue is to scan a long one.
  yield* sql`insert into graphile_worker._private_tasks (identifier) values ('ingest_killmail') on conflict do nothing`
  yield* sql`
    create function hear_killmails(
      source text, ids bigint[], keys text[], priorities smallint[], bodies boolean[], payloads text[]
    ) returns integer
    language plpgsql
    set enable_seqscan = off
    as $$
    declare
      added integer;
      changed graphile_worker.job_spec[];
    begin
      -- One at a time: of two feeds that name the same mail at once, the second must see the first one's job.
      perform pg_advisory_xact_lock(hashtext('killmaild:hearing'));

      insert into sightings (killmail_id, source) select id, hear_killmails.source from unnest(ids) id;
      perform release_killmails(ids);

      with heard as (
        select distinct on (key) *
        from unnest(ids, keys, priorities, bodies, payloads) with ordinality
          as naming(killmail_id, key, priority, has_body, payload, ordinality)
        order by key, has_body desc, ordinality
      ),
      wanted as (
        select * from heard
        where killmail_id not in (
            select ledger.killmail_id from killmail_ledger ledger where ledger.killmail_id = any(ids))
          and (has_body or key not in (
            select dead_letters.key from dead_letters
            where task = 'ingest_killmail' and dead_letters.key = any(keys) and reason in ('not_found', 'hash_mismatch')))
      ),
      queued as (
        select jobs.key, jobs.payload, jobs.priority, jobs.locked_at is not null as running,
          jobs.attempts >= jobs.max_attempts as spent, jobs.payload->>'body' is not null as has_body
        from graphile_worker._private_jobs jobs
        where jobs.key = any(keys)
      ),
      -- Once for all: a function that is volatile would see the rows of this very statement.
      line as materialized (select backfill_line() as ends_at),
      new_jobs as (
        insert into graphile_worker._private_jobs (task_id, payload, max_attempts, key, priority, run_at)
        select tasks.id, wanted.payload::json, 3, wanted.key, wanted.priority,
          case when wanted.priority < 30 or has_body then now()
            else ends_at + backfill_step() * row_number() over (partition by has_body order by ordinality) end
        from wanted, line, graphile_worker._private_tasks tasks
        where tasks.identifier = 'ingest_killmail' and wanted.key not in (select queued.key from queued)
        on conflict (key) do nothing
        returning id
      ),
      changed_jobs as (
        select ('ingest_killmail',
          json_build_object(
            'killmail_id', queued.payload->'killmail_id',
            'hash', queued.payload->'hash',
            'source', queued.payload->'source',
            'heard_at', queued.payload->'heard_at',
            'body', case when wanted.has_body then wanted.payload::json->'body' else queued.payload->'body' end,
            'zkb', coalesce(wanted.payload::json->'zkb', queued.payload->'zkb'),
            'traceparent', queued.payload->'traceparent'),
          null, null, 3, key, least(wanted.priority, queued.priority), null)::graphile_worker.job_spec as spec
        from wanted join queued using (key)
        where spent
          or wanted.has_body and not queued.has_body
          or wanted.priority < queued.priority and not queued.running
      )
      select (select count(*) from new_jobs), (select array_agg(spec) from changed_jobs) into added, changed;

      if added > 0 then
        perform pg_notify('jobs:insert', json_build_object('r', random(), 'count', added)::text);
      end if;
      if changed is not null then
        perform graphile_worker.add_jobs(changed);
      end if;
      return added + coalesce(cardinality(changed), 0);
    end $$`

  // Withheld is what has no sequence and whose time has not come, by the clock: now() is when this transaction began.
  yield* sql`
    create function release_killmails(ids bigint[]) returns void
    language plpgsql as $$
    begin
      if not exists (
        select from killmail_ledger
        where killmail_id = any(ids) and sequence is null and visible_from > clock_timestamp()
      ) then
        return;
      end if;
      perform lock_publications();
      with released as (
        select killmail_id, row_number() over (order by killmail_id) as n
        from killmail_ledger
        where killmail_id = any(ids) and sequence is null and visible_from > clock_timestamp()
      )
      update killmail_ledger ledger
      set visible_from = now(), sequence = (select coalesce(max(sequence), 0) from killmail_ledger) + released.n
      from released where released.killmail_id = ledger.killmail_id;
      perform pg_notify('killmails', '');
    end $$`
})
