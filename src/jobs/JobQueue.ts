/** The queue as a table: adding jobs in the caller's transaction, and what operators look at and do. */
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { type Job, tiers } from "./Job.ts"

/** One row of the view `job_stats`. */
export interface JobStats {
  readonly task: string
  readonly priority: number
  readonly waiting: number
  readonly scheduled: number
  readonly active: number
  readonly failed: number
  readonly completed: number
  readonly oldest_waiting: Date | null
}

export class JobQueue extends Context.Service<JobQueue, {
  /** Adds a job; inside `sql.withTransaction` it exists when, and only if, that commits. */
  readonly add: <Payload>(
    job: Job<Payload>,
    payload: Payload,
    options?: { readonly delayMillis?: number; readonly priority?: number }
  ) => Effect.Effect<void, SqlError.SqlError>
  /**
   * Adds many, but those that run already, to be begun in this order, of which over all replicas at most `atOnce` run at a
   * time, if that is told; and forgets how earlier ones of the same keys ended.
   */
  readonly addAll: <Payload>(
    job: Job<Payload>,
    payloads: ReadonlyArray<Payload>,
    options?: { readonly atOnce?: number }
  ) => Effect.Effect<void, SqlError.SqlError>
  /** Of these keys, those whose jobs wait or run. */
  readonly present: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlySet<string>, SqlError.SqlError>
  /** Of these keys, the dead letters, and why. */
  readonly failures: (
    task: string,
    keys: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<{ readonly key: string; readonly error: string }>, SqlError.SqlError>
  /** Sees to it that a job that keeps itself going is there, once, over all replicas. */
  readonly ensure: <Payload>(job: Job<Payload>, payload: Payload) => Effect.Effect<void, SqlError.SqlError>
  /** Names of all that may run here, or failed here. */
  readonly tasks: Effect.Effect<ReadonlyArray<string>, SqlError.SqlError>
  readonly stats: (task?: string) => Effect.Effect<ReadonlyArray<JobStats>, SqlError.SqlError>
  /** Forgets the dead letters of a task; returns how many. */
  readonly clearFailed: (task: string) => Effect.Effect<number, SqlError.SqlError>
  /** Puts the dead letters of a task back into the queue, with all their attempts; returns how many. Those of feeds were no jobs. */
  readonly retryFailed: (task: string) => Effect.Effect<number, SqlError.SqlError>
}>()("killmaild/jobs/JobQueue") {
  static readonly layer = Layer.effect(
    JobQueue,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const add: JobQueue["Service"]["add"] = (job, payload, options) =>
        Effect.asVoid(sql`
          select id from graphile_worker.add_job(
            ${job.name}, ${encode(job, payload)}::json,
            run_at => now() + ${options?.delayMillis ?? 0} * interval '1 millisecond',
            max_attempts => ${job.attempts}, job_key => ${job.key(payload) ?? null},
            priority => ${options?.priority ?? tiers[job.tier]})`)

      // graphile-worker runs jobs of the same queue name one after another, and knows no order but their time.
      const addAll: JobQueue["Service"]["addAll"] = (job, payloads, { atOnce = null } = {}) =>
        sql.withTransaction(Effect.gen(function*() {
          const keys = payloads.map((payload) => job.key(payload) ?? null)
          yield* sql`delete from dead_letters where task = ${job.name} and key = any(${keys}::text[])`
          yield* sql`
          select count(*) from graphile_worker.add_jobs(array(
            select (${job.name}, payload::json, ${job.name} || ' ' || place % ${atOnce}::bigint, now() + place * interval '1 microsecond', ${job.attempts}::smallint, key, ${
            tiers[job.tier]
          }::smallint,
              null)::graphile_worker.job_spec
            from unnest(
              ${payloads.map((payload) => encode(job, payload))}::text[],
              ${keys}::text[]
            ) with ordinality as wanted(payload, key, place)
            where not exists (
              select from graphile_worker._private_jobs jobs where jobs.key = wanted.key and locked_at is not null)))`
        }))

      const present: JobQueue["Service"]["present"] = (keys) =>
        Effect.map(
          sql<{ key: string }>`select key from graphile_worker._private_jobs where key = any(${[...keys]}::text[])`,
          (rows) => new Set(rows.map(({ key }) => key))
        )

      const failures: JobQueue["Service"]["failures"] = (task, keys) =>
        sql<{ key: string; error: string }>`
          select key, error from dead_letters where task = ${task} and key = any(${[...keys]}::text[]) order by key`

      const ensure: JobQueue["Service"]["ensure"] = Effect.fnUntraced(function*(job, payload) {
        const key = job.key(payload) ?? job.name
        // One that used up its attempts in crashes is never fetched again, and would pass for one that is there.
        yield* sql`
          update graphile_worker._private_jobs set attempts = 0
          where key = ${key} and attempts >= max_attempts and locked_at is null`
        yield* sql`
          select id from graphile_worker.add_job(
            ${job.name}, ${encode(job, payload)}::json, max_attempts => ${job.attempts}, job_key => ${key},
            priority => ${tiers[job.tier]}, job_key_mode => 'unsafe_dedupe')`
      })

      const tasks = Effect.map(
        sql<{ name: string }>`
          select identifier as name from graphile_worker._private_tasks union select task from dead_letters order by name`,
        (rows) => rows.map(({ name }) => name)
      )

      const stats: JobQueue["Service"]["stats"] = (task) =>
        sql<JobStats>`
          select task, priority, waiting::float8, scheduled::float8, active::float8, failed::float8, completed::float8,
            oldest_waiting
          from job_stats
          where ${task ?? null}::text is null or task = ${task ?? null}
          order by task, priority`

      const clearFailed: JobQueue["Service"]["clearFailed"] = (task) =>
        Effect.map(sql`delete from dead_letters where task = ${task} returning id`, (rows) => rows.length)

      const retryFailed: JobQueue["Service"]["retryFailed"] = (task) =>
        Effect.map(
          sql<{ readonly count: number }>`
            with letters as (delete from dead_letters where task = ${task} and task <> 'feed' returning *),
            specs as (
              select array_agg((task, payload, null, null, 3, key, priority, null)::graphile_worker.job_spec) as list
              from letters
            )
            select count(added.id)::int as count
            from specs, lateral graphile_worker.add_jobs(specs.list) added
            where specs.list is not null`,
          ([row]) => row!.count
        )

      return JobQueue.of({ add, addAll, present, failures, ensure, tasks, stats, clearFailed, retryFailed })
    })
  )
}

const encode = <Payload>(job: Job<Payload>, payload: Payload): string =>
  JSON.stringify(Schema.encodeSync(job.payload)(payload))
