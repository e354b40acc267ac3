/**
 * Runs jobs: each handler is an Effect, its outcome decides what becomes of the job, and graphile-worker does the rest.
 * The queue knows no killmail.
 */
import { Cause, Effect, Exit, Layer, Metric, Predicate, Random, Redacted, Schema, type Scope, Semaphore } from "effect"
import { SqlClient } from "effect/sql"
import { type Job as QueuedJob, Logger, run, type Runner, type TaskList } from "graphile-worker"
import { EventEmitter } from "node:events"
import { Pool as ConnectionPool } from "pg"
import { crashPoint } from "../CrashPoint.ts"
import { Settings } from "../Settings.ts"
import { type Job, type JobError, JobFailed, JobPostponed, JobRefused, tiers } from "./Job.ts"
import { heartbeatMillis, JobPools } from "./JobPools.ts"
import { JobQueue } from "./JobQueue.ts"

/**
 * A job with its handler. It runs uninterruptibly: what may be cut off by a stop is wrapped in `Effect.interruptible`,
 * what must end in the truth (a transaction under way) is not. The result, if any, is kept in `job_runs`.
 */
export interface Handler<R> {
  readonly job: Job<unknown>
  readonly run: (payload: unknown, priority: number) => Effect.Effect<unknown, JobError, R>
}

export const handle = <Payload, R>(
  job: Job<Payload>,
  run: (payload: Payload, priority: number) => Effect.Effect<unknown, JobError, R>
): Handler<R> => ({
  job: job as Job<unknown>,
  run: (payload, priority) =>
    Schema.decodeUnknownEffect(job.payload)(payload).pipe(
      Effect.mapError((error) =>
        new JobRefused({ reason: "bad_payload", message: `The payload does not fit: ${error}` })
      ),
      Effect.flatMap((decoded) => run(decoded, priority))
    )
})

/** What a handler needs. */
export type Services<H> = H extends Handler<infer R> ? R : never

/** How the process that runs the jobs is known, and what it does when it can no longer trust its connections. */
export interface Life {
  /** Of all its connections, and of no other process's. */
  readonly applicationName: string
  /** Called at the first sign; graphile-worker would go on with jobs locked that nobody runs. */
  readonly onLost: (reason: string) => void
  /** Whether what a job failed with is such a sign. */
  readonly isLost: (error: unknown) => boolean
}

/** Slots of their own, so that work of another pool cannot fill them all. */
export interface Pool<R> {
  readonly handlers: ReadonlyArray<Handler<R>>
  /** Jobs at a time. */
  readonly concurrency: number
  /** Jobs fetched in one statement, ahead of the slots; 0, for few and long ones, fetches one by one. */
  readonly fetchAhead: number
  /** Milliseconds between two looks for jobs that became free without being added: those behind another in its queue. */
  readonly pollMillis?: number
  /** Whether each run leaves a row in `job_runs`. */
  readonly recorded: boolean
  /** Jobs of a backfill that may begin in a second; more would take the machine from what is live. */
  readonly backfillRate?: number
}

const jobsTotal = Metric.counter("killmaild_jobs_total", { description: "Jobs by task and outcome", incremental: true })
const jobSeconds = Metric.histogram("killmaild_job_seconds", {
  description: "Time a job's handler took, in seconds",
  boundaries: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60]
})

type Outcome = "completed" | "retrying" | "rescheduled" | "failed" | "interrupted"

/** Thrown to graphile-worker for a job that stays in the queue; it unlocks the row that `postpone` has prepared. */
class StaysQueued extends Error {}

/**
 * graphile-worker looks for work whenever any job is added, and looks through all that are not for it. A pool of few jobs
 * looks four times a second at most; one that it fetched and has no slot for goes back after 10 s, for others.
 */
const oneByOne = {
  size: 1,
  ttl: 10_000,
  refetchDelay: { durationMs: 250, maxAbortThreshold: Number.POSITIVE_INFINITY }
}

/** A heartbeat that takes longer has no connection to go by. */
const silence = "2 seconds"

/** Whom the job is about, for those that are about somebody. */
const characterOf = (payload: unknown): string | null =>
  Predicate.hasProperty(payload, "character_id") && Number.isSafeInteger(payload.character_id)
    ? String(payload.character_id)
    : null

/** A text column holds no U+0000, and messages quote what was sent. */
const textOf = (message: string, most = 2000): string =>
  message.replaceAll("\0", "\uFFFD").slice(0, most).toWellFormed()

const make = Effect.fnUntraced(function*<R>(url: Redacted.Redacted, life: Life, pools: ReadonlyArray<Pool<R>>) {
  const sql = yield* SqlClient.SqlClient
  const jobPools = yield* JobPools
  const queue = yield* JobQueue
  const settings = yield* Settings
  const context = yield* Effect.context<R>()

  let stopping = false
  const lost = (reason: string) => {
    if (!stopping) life.onLost(reason)
  }

  /**
   * Sets when the job runs again, while it is still locked. graphile-worker then unlocks it and adds e^attempts seconds
   * to `run_at`, which is taken off here; so the least delay is 1 s. False: somebody replaced the job meanwhile.
   */
  const postpone = (job: QueuedJob, attempts: number, delayMillis: number) =>
    Effect.map(
      sql`
        update graphile_worker._private_jobs
        set attempts = ${attempts},
          run_at = now() + ${delayMillis} * interval '1 millisecond' - exp(${attempts}) * interval '1 second'
        where id = ${BigInt(job.id)} and key is not distinct from ${job.key}
        returning id`,
      (rows) => rows.length === 1
    )

  const bury = (job: QueuedJob, reason: string, error: string) =>
    sql`
      insert into dead_letters (task, key, payload, reason, error, attempts, priority)
      values (${job.task_identifier}, ${job.key}, ${JSON.stringify(job.payload)}::json, ${reason}, ${error},
        ${job.attempts}, ${job.priority})
      on conflict (task, key) do update set payload = excluded.payload, reason = excluded.reason,
        error = excluded.error, attempts = excluded.attempts, priority = excluded.priority, at = now()`

  const keepGoing = (handler: Handler<R>, job: QueuedJob) =>
    handler.job.every === undefined
      ? Effect.void
      : queue.add(handler.job, job.payload, { delayMillis: handler.job.every / settings.scheduleSpeed })

  const settle = Effect.fnUntraced(function*(handler: Handler<R>, job: QueuedJob, exit: Exit.Exit<unknown, JobError>) {
    const stays = (outcome: Outcome, attempts: number, delayMillis: number) =>
      Effect.map(postpone(job, attempts, delayMillis), (kept) => ({ outcome, kept })).pipe(
        Effect.tap(crashPoint("job postponed, still locked"))
      )
    if (Exit.isSuccess(exit)) {
      yield* keepGoing(handler, job)
      yield* crashPoint("job done, not completed")
      return { outcome: "completed" as Outcome, kept: false }
    }
    if (Cause.hasInterruptsOnly(exit.cause)) return yield* stays("interrupted", job.attempts - 1, 0)
    const error = Cause.squash(exit.cause)
    if (error instanceof JobPostponed) return yield* stays("rescheduled", job.attempts - 1, error.delayMillis)
    const refused = error instanceof JobRefused
    if (!refused && job.attempts < handler.job.attempts) {
      const jitter = yield* Random.nextBetween(0.85, 1.15)
      return yield* stays("retrying", job.attempts, handler.job.retryAfter(job.attempts) * jitter)
    }
    const reason = refused || error instanceof JobFailed ? error.reason : "defect"
    const message = textOf(error instanceof Error ? error.message : String(error))
    yield* Effect.logWarning(`${job.task_identifier} ${job.key ?? job.id} became a dead letter (${reason}): ${message}`)
    yield* bury(job, reason, message)
    yield* crashPoint("dead letter written, job still queued")
    yield* keepGoing(handler, job)
    return { outcome: "failed" as Outcome, kept: false }
  })

  const recordStart = (job: QueuedJob) =>
    Effect.map(
      sql<{ readonly id: bigint }>`
        insert into job_runs (task, key, character_id, status, attempts, priority, application_name)
        values (${job.task_identifier}, ${job.key}, ${characterOf(job.payload)}::bigint,
          'running', ${job.attempts}, ${job.priority}, ${life.applicationName})
        returning id`,
      ([row]) => row!.id
    )

  const recordEnd = (run: bigint, outcome: Outcome, exit: Exit.Exit<unknown, JobError>) =>
    sql`
      update job_runs set status = ${outcome}, completed_at = clock_timestamp(),
        result = ${Exit.isSuccess(exit) ? JSON.stringify(exit.value ?? null) : null}::json,
        error = ${Exit.isFailure(exit) ? textOf(Cause.pretty(exit.cause)) : null}
      where id = ${run}`

  const perform = Effect.fnUntraced(function*(pool: Pool<R>, handler: Handler<R>, job: QueuedJob) {
    const run = pool.recorded ? yield* recordStart(job) : undefined
    const started = performance.now()
    const hung = setTimeout(
      () => lost(`${job.task_identifier} ${job.key ?? job.id} does not end`),
      handler.job.deadlineMillis
    )
    const exit = yield* Effect.exit(handler.run(job.payload, job.priority))
    clearTimeout(hung)
    const { kept, outcome } = yield* settle(handler, job, exit)
    if (run !== undefined) yield* recordEnd(run, outcome, exit)
    const task = { task: job.task_identifier }
    yield* Metric.update(Metric.withAttributes(jobsTotal, { ...task, outcome }), 1)
    const millis = performance.now() - started
    yield* Metric.update(Metric.withAttributes(jobSeconds, task), millis / 1000)
    if (pool.backfillRate !== undefined && job.priority >= tiers.backfill) {
      // Every slot that is held so long makes that many a second.
      yield* Effect.exit(Effect.interruptible(Effect.sleep(1000 * pool.concurrency / pool.backfillRate - millis)))
    }
    return kept ? Exit.isFailure(exit) ? textOf(Cause.pretty(exit.cause), 500) : outcome : undefined
  })

  /**
   * What may have crashed this process's predecessors runs one at a time, so that the next crash tells which it was; in each
   * pool, as one that takes minutes must not hold up those of milliseconds.
   */
  let suspects = yield* Effect.orDie(jobPools.suspects)
  const performWarily = (alone: Semaphore.Semaphore, pool: Pool<R>, handler: Handler<R>, job: QueuedJob) =>
    suspects.has(job.id)
      ? alone.withPermit(
        jobPools.accuse(job.id).pipe(
          Effect.andThen(perform(pool, handler, job)),
          Effect.tap(jobPools.acquit(job.id))
        )
      )
      : perform(pool, handler, job)

  const runPromiseExit = Effect.runPromiseExitWith(context)
  const startPool = Effect.fnUntraced(function*(pool: Pool<R>) {
    const running = new Set<Promise<unknown>>()
    const alone = yield* Semaphore.make(1)
    const taskList: TaskList = Object.fromEntries(pool.handlers.map((handler) => [
      handler.job.name,
      async (_payload, helpers) => {
        const promise = runPromiseExit(performWarily(alone, pool, handler, helpers.job), {
          signal: helpers.abortSignal,
          // A handler that was told to stop still ends in what really happened: stored is stored.
          uninterruptible: true
        })
        running.add(promise)
        const exit = await promise.finally(() => running.delete(promise))
        if (Exit.isFailure(exit) && life.isLost(Cause.squash(exit.cause))) lost("a job lost its connection")
        if (Exit.isFailure(exit)) throw new Error(textOf(Cause.pretty(exit.cause), 500))
        if (exit.value !== undefined) throw new StaysQueued(exit.value)
      }
    ]))
    const events = new EventEmitter()
    const poolIds: Array<string> = []
    const registered: Array<Promise<void>> = []
    events.on("pool:create", (event: { readonly workerPool: { readonly id: string } }) => {
      poolIds.push(event.workerPool.id)
      registered.push(Effect.runPromise(jobPools.register(event.workerPool.id, life.applicationName)))
    })
    for (const trouble of ["worker:getJob:error", "worker:fatalError", "pool:listen:error", "pool:forcefulShutdown"]) {
      events.on(trouble, () => lost(`graphile-worker says ${trouble}`))
    }
    const connections = yield* acquireConnections(url, life.applicationName, lost)
    const runner = yield* Effect.acquireRelease(
      Effect.promise(() =>
        run({
          pgPool: connections,
          noHandleSignals: true,
          taskList,
          events,
          preset: {
            worker: {
              concurrentJobs: pool.concurrency,
              pollInterval: pool.pollMillis ?? 2000,
              completeJobBatchDelay: 0,
              failJobBatchDelay: 0,
              gracefulShutdownAbortTimeout: 3000,
              logger: new Logger(() => () => {}),
              localQueue: pool.fetchAhead > 0 ? { size: pool.fetchAhead } : oneByOne
            }
          }
        })
      ),
      (runner) =>
        Effect.promise(() => {
          stopping = true
          return stop(runner, running, connections, poolIds)
        })
    )
    yield* Effect.promise(() => Promise.all(registered))
    const settled = () => lost("graphile-worker stopped by itself")
    runner.promise.then(settled, settled)
  })

  yield* Effect.addFinalizer(() => Effect.ignore(jobPools.end(life.applicationName)))
  yield* Effect.forEach(pools, startPool, { discard: true })
  // Also the probe that finds a connection which is neither open nor closed.
  yield* jobPools.heartbeat(life.applicationName).pipe(
    Effect.andThen(jobPools.suspects),
    Effect.tap((found) =>
      Effect.sync(() => {
        suspects = found
      })
    ),
    Effect.timeout(silence),
    Effect.tapCause((cause) => Effect.sync(() => lost(`no heartbeat: ${Cause.pretty(cause)}`))),
    Effect.ignore,
    Effect.andThen(Effect.sleep(heartbeatMillis)),
    Effect.forever,
    Effect.forkScoped
  )
  for (const { handlers } of pools) {
    for (const { job } of handlers) if (job.every !== undefined) yield* queue.ensure(job, {})
  }
})

/** The queue's own connections: few, as fetching and completing go in batches. */
const acquireConnections = (
  url: Redacted.Redacted,
  applicationName: string,
  lost: (reason: string) => void
): Effect.Effect<ConnectionPool, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const pool = new ConnectionPool({
        connectionString: Redacted.value(url),
        max: 6,
        connectionTimeoutMillis: 5000,
        application_name: applicationName,
        keepAlive: true,
        keepAliveInitialDelayMillis: 10_000
      })
      pool.on("error", (error) => lost(`a connection broke: ${error.message}`))
      pool.on("connect", (client) => client.on("error", (error) => lost(`a connection broke: ${error.message}`)))
      return pool
    }),
    (pool) => Effect.promise(() => within(1000, pool.end()))
  )

/**
 * `runner.stop()` returns before the last completions are written, and can leave rows locked for four hours; so: wait
 * for the handlers, give the rows a moment, then unlock what is left of this pool.
 */
const stop = async (
  runner: Runner,
  running: ReadonlySet<Promise<unknown>>,
  connections: ConnectionPool,
  poolIds: ReadonlyArray<string>
): Promise<void> => {
  await within(6000, runner.stop())
  await within(3000, Promise.allSettled(running))
  const locked = () =>
    connections.query<{ count: number }>(
      "select count(*)::int as count from graphile_worker._private_jobs where locked_by = any($1)",
      [poolIds]
    ).then(({ rows }) => rows[0]!.count)
  await within(
    1000,
    (async () => {
      while (await locked() > 0) await new Promise((resolve) => setTimeout(resolve, 25))
    })()
  )
  await within(
    1000,
    connections.query(
      "update graphile_worker._private_jobs set attempts = greatest(0, attempts - 1) where locked_by = any($1)",
      [poolIds]
    )
  )
  await within(1000, connections.query("select graphile_worker.force_unlock_workers($1)", [poolIds]))
}

/** Of a connection that is gone nothing is to be expected, not even an error. */
const within = (millis: number, work: Promise<unknown>): Promise<void> =>
  new Promise((resolve) => {
    const deadline = setTimeout(resolve, millis)
    work.catch(() => {}).finally(() => {
      clearTimeout(deadline)
      resolve()
    })
  })

/** Runs these pools for as long as the layer lives. */
export const layer = <R>(url: Redacted.Redacted, life: Life, pools: ReadonlyArray<Pool<R>>) =>
  Layer.effectDiscard(make(url, life, pools))
