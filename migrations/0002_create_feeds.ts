/** Feeds: who named which killmail and when, how far each feed was read, who leads it, and the way into the queue. */
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

  yield* sql`
    create table feed_cursors (
      feed text primary key,
      cursor bigint,
      moved_at timestamptz not null default now(),
      heard_at timestamptz
    )`

  // A term fences: whoever holds an older one can move no cursor.
  yield* sql`
    create table leases (
      name text primary key,
      holder text not null,
      term bigint not null,
      backend_pid integer not null,
      expires_at timestamptz not null
    )`

  // Records sightings and adds the jobs that are needed; one element of each array is one naming of a killmail. A payload
  // is { killmail_id, hash, source, heard_at, body?, zkb?, traceparent? }. Known killmails need no job; a withheld one is
  // released by a public sighting. Of two hearings of the same mail one job remains, and a body is never replaced by
  // none. What ESI refused for good is not asked again, unless the body came along. A body of null is none. Returns the
  // number of jobs added or replaced. Payloads are looked into only where a job is queued already: parsing is dear.
  yield* sql`
    create function hear_killmails(
      source text, ids bigint[], keys text[], priorities smallint[], bodies boolean[], payloads text[]
    ) returns integer
    language plpgsql as $$
    declare
      specs graphile_worker.job_spec[];
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
      queued as (
        select jobs.key, jobs.payload, jobs.priority, jobs.locked_at is not null as running,
          jobs.payload->>'body' is not null as has_body
        from graphile_worker._private_jobs jobs
        where jobs.key = any(keys) and jobs.attempts < jobs.max_attempts
      ),
      needed as (
        select heard.key, least(heard.priority, queued.priority) as priority,
          case
            when queued.key is null then heard.payload::json
            else json_build_object(
              'killmail_id', queued.payload->'killmail_id',
              'hash', queued.payload->'hash',
              'source', queued.payload->'source',
              'heard_at', queued.payload->'heard_at',
              'body', case when heard.has_body then heard.payload::json->'body' else queued.payload->'body' end,
              'zkb', coalesce(heard.payload::json->'zkb', queued.payload->'zkb'),
              'traceparent', queued.payload->'traceparent')
          end as payload
        from heard
        left join queued using (key)
        where not exists (select from killmail_ledger ledger where ledger.killmail_id = heard.killmail_id)
          and (queued.key is null
            or heard.has_body and not queued.has_body
            or heard.priority < queued.priority and not queued.running)
          and (heard.has_body or not exists (
            select from dead_letters
            where task = 'ingest_killmail' and dead_letters.key = heard.key and reason in ('not_found', 'hash_mismatch')))
      )
      select array_agg(
        ('ingest_killmail', payload, null, null, 3, key, priority, null)::graphile_worker.job_spec order by key)
      into specs from needed;

      if specs is null then return 0; end if;
      perform graphile_worker.add_jobs(specs);
      return cardinality(specs);
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
