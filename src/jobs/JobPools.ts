/**
 * Whose jobs are whose: pools of graphile-worker that live, and those that died with jobs in their hands. The queue itself
 * would keep a dead pool's jobs locked for four hours.
 */
import { Context, Effect, Layer, Schedule } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { crashPoint } from "../CrashPoint.ts"

/** How often a pool says that it lives, in milliseconds. */
export const heartbeatMillis = 300
/** The age of that at which it is taken for dead: without a connection, and with one, when it may be busy or frozen. */
const staleMillis = 1500
const frozenMillis = 10_000
/** An end is remembered so long; a lock without any registered pool is taken for orphaned after as long. */
const tombstone = "60 seconds"
const orphanedAfter = "10 seconds"

export class JobPools extends Context.Service<JobPools, {
  /** Before the pool's first job; all its connections bear the application name, which is its process's alone. */
  readonly register: (poolId: string, applicationName: string) => Effect.Effect<void, SqlError.SqlError>
  readonly heartbeat: (applicationName: string) => Effect.Effect<void, SqlError.SqlError>
  /** Processes that take jobs now, over all replicas. */
  readonly living: Effect.Effect<number, SqlError.SqlError>
  /** Ids of jobs that were there at two crashes or more: one of them may be the cause. */
  readonly suspects: Effect.Effect<ReadonlySet<string>, SqlError.SqlError>
  /** Before a suspect runs, alone: a crash from here on is its own. */
  readonly accuse: (jobId: string) => Effect.Effect<void, SqlError.SqlError>
  /** It ended without a crash, however it ended. */
  readonly acquit: (jobId: string) => Effect.Effect<void, SqlError.SqlError>
  /** Nothing of it is locked any more; what it still calls running was interrupted. */
  readonly end: (applicationName: string) => Effect.Effect<void, SqlError.SqlError>
  /**
   * A process is known to be dead or is to be: ends its backends, waits until they are gone, as a statement under way
   * could still lock jobs, and only then unlocks its jobs. Returns how many.
   */
  readonly bury: (applicationName: string) => Effect.Effect<number, SqlError.SqlError>
  /** Buries whatever died elsewhere. After a restart of Postgres all are silent at once: only silence that lasts counts. */
  readonly sweep: Effect.Effect<number, SqlError.SqlError>
}>()("killmaild/jobs/JobPools") {
  static readonly layer = Layer.effect(
    JobPools,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const register: JobPools["Service"]["register"] = (poolId, applicationName) =>
        Effect.asVoid(sql`insert into job_pools (pool_id, application_name) values (${poolId}, ${applicationName})`)

      const heartbeat: JobPools["Service"]["heartbeat"] = (applicationName) =>
        Effect.asVoid(sql`
          update job_pools set heartbeat_at = clock_timestamp()
          where application_name = ${applicationName} and ended_at is null`)

      const living = Effect.map(
        sql<{ processes: number }>`
          select count(distinct application_name)::int as processes
          from job_pools
          where ended_at is null
            and heartbeat_at > clock_timestamp() - ${frozenMillis} * interval '1 millisecond'`,
        ([row]) => row!.processes
      )

      const suspects = Effect.map(
        sql<{ id: string }>`select job_id::text as id from job_crashes where crashes >= 2`,
        (rows) => new Set(rows.map(({ id }) => id))
      )

      const accuse: JobPools["Service"]["accuse"] = (jobId) =>
        Effect.asVoid(sql`update job_crashes set accused = true where job_id = ${BigInt(jobId)}`)

      const acquit: JobPools["Service"]["acquit"] = (jobId) =>
        Effect.asVoid(sql`delete from job_crashes where job_id = ${BigInt(jobId)}`)

      const end: JobPools["Service"]["end"] = (applicationName) =>
        Effect.asVoid(sql`
          with ended as (
            update job_pools set ended_at = clock_timestamp()
            where application_name = ${applicationName} and ended_at is null
          )
          update job_runs set status = 'interrupted', completed_at = clock_timestamp(),
            error = 'The process ended while it ran.'
          where application_name = ${applicationName} and status = 'running'`)

      const endBackendsOf = (applicationName: string) =>
        Effect.map(
          sql`
            select pg_terminate_backend(pid) from pg_stat_activity
            where application_name = ${applicationName} and pid <> pg_backend_pid()`,
          (rows) => rows.length
        )

      const bury = Effect.fn("JobPools.bury")(function*(applicationName: string) {
        yield* endBackendsOf(applicationName).pipe(
          Effect.repeat({ schedule: Schedule.spaced("10 millis"), while: (backends) => backends > 0 })
        )
        yield* crashPoint("backends ended, jobs still locked")
        const [row] = yield* sql<{ released: number }>`
          select release_jobs_of(array(select pool_id from job_pools where application_name = ${applicationName}))
            as released`
        yield* crashPoint("jobs unlocked, pool not ended")
        yield* end(applicationName)
        return row!.released
      })

      const sweep = Effect.gen(function*() {
        const silent = yield* sql<{ name: string }>`
          select distinct application_name as name from job_pools
          where ended_at is null
            and heartbeat_at < clock_timestamp() - ${staleMillis} * interval '1 millisecond'
            and (heartbeat_at < clock_timestamp() - ${frozenMillis} * interval '1 millisecond'
              or not exists (
                select from pg_stat_activity where pg_stat_activity.application_name = job_pools.application_name))`
        let released = 0
        for (const { name } of silent) released += yield* bury(name)
        const [late] = yield* sql<{ released: number }>`
          with dead as (
            select distinct locked_by from graphile_worker._private_jobs jobs
            where locked_by in (select pool_id from job_pools where ended_at is not null)
              or locked_at < now() - ${orphanedAfter}::interval
                and not exists (select from job_pools where pool_id = locked_by)
          )
          select release_jobs_of(array_agg(locked_by)) as released from dead having count(*) > 0`
        yield* sql`delete from job_pools where ended_at < clock_timestamp() - ${tombstone}::interval`
        yield* sql`
          delete from job_crashes
          where not exists (select from graphile_worker._private_jobs jobs where jobs.id = job_id)`
        return released + (late?.released ?? 0)
      })

      return JobPools.of({ register, heartbeat, living, suspects, accuse, acquit, end, bury, sweep })
    })
  )
}
