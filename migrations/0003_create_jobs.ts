/** Jobs: what ended without success, what ran, and the view that operators read. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  // A killmail's body is 2 to 4 kB and lives in the queue for milliseconds: compressing it costs more than it saves.
  yield* sql`alter table graphile_worker._private_jobs alter column payload set storage external`

  // json, not jsonb: a payload is kept as it came, U+0000 and lone surrogates included.
  yield* sql`
    create table dead_letters (
      id bigint generated always as identity primary key,
      task text not null,
      key text,
      payload json not null,
      reason text not null,
      error text not null,
      attempts integer not null,
      priority integer not null default 0,
      at timestamptz not null default now()
    )`
  yield* sql`create unique index on dead_letters (task, key)`
  yield* sql`create index on dead_letters (at)`

  yield* sql`
    create table job_runs (
      id bigint generated always as identity primary key,
      task text not null,
      key text,
      character_id bigint,
      status text not null check (status in ('running', 'completed', 'rescheduled', 'retrying', 'failed', 'interrupted')),
      attempts integer not null,
      priority integer not null default 0,
      started_at timestamptz not null default clock_timestamp(),
      completed_at timestamptz,
      result json,
      error text,
      application_name text not null
    )`
  yield* sql`comment on column job_runs.application_name is 'of the process that ran it, as in job_pools'`
  yield* sql`create index on job_runs (task, started_at)`
  yield* sql`create index on job_runs (started_at)`
  yield* sql`create index on job_runs (character_id, started_at) where character_id is not null`
  yield* sql`create index on job_runs (application_name) where status = 'running'`

  // ingest_killmail leaves no job_runs: the ledger counts for it, all under the live priority.
  yield* sql`
    create view job_stats as
    with queue as (
      select task_identifier as task, priority::integer as priority,
        count(*) filter (where locked_at is null and run_at <= now()) as waiting,
        count(*) filter (where locked_at is null and run_at > now()) as scheduled,
        count(*) filter (where locked_at is not null) as active,
        min(run_at) filter (where locked_at is null and run_at <= now()) as oldest_waiting
      from graphile_worker.jobs
      group by 1, 2
    ),
    dead as (
      select task, priority, count(*) as failed from dead_letters group by 1, 2
    ),
    done as (
      select task, priority, count(*) as completed
      from job_runs where status = 'completed' and completed_at > now() - interval '24 hours' group by 1, 2
      union all
      select 'ingest_killmail', 0, count(*)
      from killmail_ledger where stored_at > now() - interval '24 hours' having count(*) > 0
    )
    select task, priority,
      coalesce(waiting, 0) as waiting,
      coalesce(scheduled, 0) as scheduled,
      coalesce(active, 0) as active,
      coalesce(failed, 0) as failed,
      coalesce(completed, 0) as completed,
      oldest_waiting
    from queue full join dead using (task, priority) full join done using (task, priority)`

  // Every pool of graphile-worker registers here before its jobs run. It is dead when its heartbeat is old and no backend
  // bears its application_name; it stays a minute after its end, as a statement of its own may have been under way.
  yield* sql`
    create table job_pools (
      pool_id text primary key,
      application_name text not null,
      heartbeat_at timestamptz not null default clock_timestamp(),
      ended_at timestamptz
    )`

  // A job that was there at two crashes is a suspect: from then on it runs alone, and only what runs alone is accused.
  yield* sql`
    create table job_crashes (
      job_id bigint primary key,
      crashes integer not null,
      accused boolean not null default false
    )`

  // Unlocks the jobs of dead pools. A crash is no attempt, but is counted apart: whoever was there at ten of them becomes
  // a dead letter, and after the second only those that could have caused it count. Returns how many jobs were locked.
  yield* sql`
    create function release_jobs_of(dead_pools text[]) returns integer
    language plpgsql as $$
    declare
      released integer;
    begin
      with crashed as (
        insert into job_crashes (job_id, crashes)
        select id, 1 from graphile_worker._private_jobs where locked_by = any(dead_pools)
        on conflict (job_id) do update
        set crashes = job_crashes.crashes + (job_crashes.crashes < 2 or job_crashes.accused)::integer, accused = false
        returning job_id, crashes
      ),
      buried as (
        delete from graphile_worker._private_jobs jobs
        using crashed where crashed.job_id = jobs.id and crashed.crashes >= 10
        returning jobs.*
      )
      insert into dead_letters (task, key, payload, reason, error, attempts, priority)
      select tasks.identifier, buried.key, payload, 'crashes', 'The process died ten times while it had this job.',
        attempts, priority
      from buried join graphile_worker._private_tasks tasks on tasks.id = task_id
      on conflict (task, key) do update set payload = excluded.payload, reason = excluded.reason,
        error = excluded.error, attempts = excluded.attempts, priority = excluded.priority, at = now();

      update graphile_worker._private_jobs set attempts = greatest(0, attempts - 1) where locked_by = any(dead_pools);
      get diagnostics released = row_count;
      perform graphile_worker.force_unlock_workers(dead_pools);
      return released;
    end $$`
})
