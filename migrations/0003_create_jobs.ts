/** Jobs: what ended without success, what ran, and the view that operators read. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

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
      error text
    )`
  yield* sql`create index on job_runs (task, started_at)`
  yield* sql`create index on job_runs (started_at)`
  yield* sql`create index on job_runs (character_id, started_at) where character_id is not null`

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
})
