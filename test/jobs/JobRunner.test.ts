import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Redacted, References, Schema, Scope } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { randomUUID } from "node:crypto"
import * as Job from "../../src/jobs/Job.ts"
import { JobPools } from "../../src/jobs/JobPools.ts"
import { JobQueue } from "../../src/jobs/JobQueue.ts"
import * as JobRunner from "../../src/jobs/JobRunner.ts"
import { Settings } from "../../src/Settings.ts"
import * as Database from "../../src/store/Database.ts"
import { eventually, migratedDatabase } from "../support/TestDaemon.ts"

const toy = Job.make({
  name: "toy",
  payload: Schema.Struct({ name: Schema.String, note: Schema.optionalKey(Schema.String) }),
  key: ({ name }) => `toy:${name}`,
  tier: "live"
})

interface Bench {
  /** Runs these for as long as the scope is open: that of the test, unless another is given. */
  readonly run: (
    handlers: ReadonlyArray<JobRunner.Handler<never>>,
    options?: Partial<JobRunner.Pool<never>> & {
      readonly onLost?: (reason: string) => void
      readonly beside?: ReadonlyArray<JobRunner.Pool<never>>
    }
  ) => Effect.Effect<void, SqlError.SqlError, Scope.Scope>
  readonly queue: JobQueue["Service"]
}

/** A database of the test's own, a queue on it, and how to start runners. */
const withBench = <A, E>(test: (bench: Bench) => Effect.Effect<A, E, SqlClient.SqlClient | Scope.Scope>) =>
  Effect.gen(function*() {
    const url = Redacted.make((yield* migratedDatabase).url)
    const context = yield* Layer.build(
      Layer.merge(JobQueue.layer, JobPools.layer).pipe(
        Layer.provideMerge(Database.layer(url)),
        Layer.provideMerge(Settings.layerFrom({ KILLMAILD_LOG_LEVEL: "error" }))
      )
    )
    return yield* test({
      run: (handlers, { beside = [], onLost = () => {}, ...options } = {}) =>
        Layer.build(
          JobRunner.layer(url, { applicationName: `test ${randomUUID()}`, onLost, isLost: () => false }, [{
            handlers,
            concurrency: 4,
            fetchAhead: 0,
            recorded: true,
            ...options
          }, ...beside])
        )
          .pipe(
            Effect.provide(context),
            Effect.asVoid
          ),
      queue: Context.get(context, JobQueue)
    }).pipe(Effect.provide(context))
  }).pipe(Effect.provideService(References.MinimumLogLevel, "Error"))

const queueIsEmpty = eventually((sql) => sql`select from graphile_worker._private_jobs`, (rows) => rows.length === 0)

const letters = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) =>
    sql<{ task: string; key: string; payload: unknown; reason: string; error: string; attempts: number }>`
      select task, key, payload, reason, error, attempts from dead_letters order by id`
)

const runs = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) =>
    sql<{ key: string; status: string; attempts: number; result: unknown; error: string | null; ended: boolean }>`
      select key, status, attempts, result, error, completed_at is not null as ended from job_runs order by id`
)

/** The one job that waits to run later, after so many attempts: in how many seconds. */
const waiting = (attempts: number) =>
  Effect.map(
    eventually(
      (sql) =>
        sql<{ wait: number }>`
          select extract(epoch from run_at - now())::float8 as wait from graphile_worker._private_jobs
          where locked_at is null and last_error is not null and attempts = ${attempts} and run_at > now()`,
      (rows) => rows.length === 1
    ),
    ([job]) => job!.wait
  )

/** What waits for its time need not wait longer. */
const hurry = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`update graphile_worker._private_jobs set run_at = now() where locked_at is null and attempts < max_attempts`
  yield* sql`select pg_notify('jobs:insert', '{"count":1}')`
})

const failing = (message: string) => new Job.JobFailed({ reason: "no_luck", message })

describe.concurrent("a job", () => {
  it.live("runs once, leaves the queue, and its result is kept", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        yield* run([JobRunner.handle(toy, ({ name }) => Effect.sync(() => ({ length: seen.push(name) })))])
        yield* queue.add(toy, { name: "a" })
        yield* queueIsEmpty
        assert.deepStrictEqual(seen, ["a"])
        assert.deepStrictEqual(yield* runs, [
          { key: "toy:a", status: "completed", attempts: 1, result: { length: 1 }, error: null, ended: true }
        ])
        assert.deepStrictEqual(yield* letters, [])
      })
    ))

  it.live("tells of whom it is in its run, and leaves none in a pool that keeps no record", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const personal = Job.make({
          name: "personal",
          payload: Schema.Struct({ character_id: Schema.Int }),
          key: ({ character_id }) => `personal:${character_id}`,
          tier: "user"
        })
        yield* run([JobRunner.handle(personal, () => Effect.void)])
        yield* run([JobRunner.handle(toy, () => Effect.void)], { recorded: false })
        yield* queue.add(personal, { character_id: 2_112_625_428_123 })
        yield* queue.add(toy, { name: "a" })
        yield* queueIsEmpty
        assert.deepStrictEqual(
          yield* sql`select task, character_id::text, priority from job_runs`,
          [{ task: "personal", character_id: "2112625428123", priority: 10 }]
        )
      })
    ))

  it.live("is a dead letter after three answered attempts, 4 and 8 s apart", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        let tries = 0
        yield* run([JobRunner.handle(toy, () => Effect.suspend(() => Effect.fail(failing(`try ${++tries}`))))])
        yield* queue.add(toy, { name: "a", note: "kept" })
        const first = yield* waiting(1)
        assert.isAbove(first, 2)
        assert.isBelow(first, 4.7)
        yield* hurry
        const second = yield* waiting(2)
        assert.isAbove(second, 5)
        assert.isBelow(second, 9.3)
        yield* hurry
        yield* queueIsEmpty
        assert.deepStrictEqual(yield* letters, [{
          task: "toy",
          key: "toy:a",
          payload: { name: "a", note: "kept" },
          reason: "no_luck",
          error: "try 3",
          attempts: 3
        }])
        assert.deepStrictEqual((yield* runs).map(({ attempts, ended, status }) => ({ attempts, ended, status })), [
          { attempts: 1, ended: true, status: "retrying" },
          { attempts: 2, ended: true, status: "retrying" },
          { attempts: 3, ended: true, status: "failed" }
        ])
      })
    ))

  it.live("that a handler refuses is a dead letter at once, whatever its text holds", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        yield* run([
          JobRunner.handle(toy, ({ name }) =>
            Effect.fail(new Job.JobRefused({ reason: "never", message: `not \0 ${name}` })))
        ])
        yield* queue.add(toy, { name: "a", note: "\0 \ud800" })
        yield* queueIsEmpty
        assert.deepStrictEqual(yield* letters, [{
          task: "toy",
          key: "toy:a",
          payload: { name: "a", note: "\0 \ud800" },
          reason: "never",
          error: "not \ufffd a",
          attempts: 1
        }])
        const [only, ...others] = yield* runs
        assert.strictEqual(only!.status, "failed")
        assert.include(only!.error, "not \ufffd a")
        assert.deepStrictEqual(others, [])
      })
    ))

  it.live("that is postponed comes back later, however often, and no attempt is counted", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        let times = 0
        yield* run([
          JobRunner.handle(toy, () =>
            Effect.suspend(() =>
              ++times <= 5
                ? Effect.fail(new Job.JobPostponed({ delayMillis: 60_000, message: "not now" }))
                : Effect.void
            ))
        ])
        yield* queue.add(toy, { name: "a" })
        for (let time = 1; time <= 5; time++) {
          const wait = yield* eventually(
            (sql) =>
              sql<{ wait: number }>`
                select extract(epoch from run_at - now())::float8 as wait from graphile_worker._private_jobs
                where locked_at is null and attempts = 0 and run_at > now()`,
            (rows) => rows.length === 1 && times === time
          )
          assert.isAbove(wait[0]!.wait, 50)
          assert.isAtMost(wait[0]!.wait, 60.1)
          yield* hurry
        }
        yield* queueIsEmpty
        assert.deepStrictEqual((yield* runs).map(({ attempts, status }) => [attempts, status]), [
          ...Array.from({ length: 5 }, () => [1, "rescheduled"]),
          [1, "completed"]
        ])
        assert.deepStrictEqual(yield* letters, [])
      })
    ))

  it.live("that is postponed for a second runs again by itself", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        let times = 0
        yield* run([
          JobRunner.handle(toy, () =>
            Effect.suspend(() =>
              ++times === 1
                ? Effect.fail(new Job.JobPostponed({ delayMillis: 1000, message: "not now" }))
                : Effect.void
            ))
        ])
        yield* queue.add(toy, { name: "a" })
        yield* queueIsEmpty
        const [apart] = yield* sql<{ seconds: number }>`
          select extract(epoch from max(started_at) - min(started_at))::float8 as seconds from job_runs`
        assert.isAtLeast(apart!.seconds, 0.95)
      })
    ))

  it.live("whose payload does not fit is a dead letter at once", () =>
    withBench(({ run }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* run([JobRunner.handle(toy, () => Effect.die("never called"))])
        yield* sql`select id from graphile_worker.add_job('toy', '{"name": 7}'::json)`
        yield* queueIsEmpty
        const [letter] = yield* letters
        assert.strictEqual(letter!.reason, "bad_payload")
        assert.deepStrictEqual(letter!.payload, { name: 7 })
        assert.isNull(letter!.key)
      })
    ))

  it.live("whose handler dies is tried again, and then a dead letter; others run on", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        yield* run([
          JobRunner.handle(toy, ({ name }) =>
            Effect.sync(() => {
              if (name === "bad") throw new TypeError("undefined is not a function")
              seen.push(name)
            }))
        ])
        yield* queue.add(toy, { name: "bad" })
        yield* waiting(1)
        yield* hurry
        yield* waiting(2)
        yield* queue.add(toy, { name: "good" })
        yield* hurry
        yield* queueIsEmpty
        assert.deepStrictEqual(seen, ["good"])
        assert.deepStrictEqual(
          (yield* letters).map(({ attempts, error, key, reason }) => ({ attempts, error, key, reason })),
          [{ attempts: 3, error: "undefined is not a function", key: "toy:bad", reason: "defect" }]
        )
      })
    ))

  it.live("that is replaced while it runs does not come back, and the new one runs once", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const begun = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        const seen: Array<string | undefined> = []
        yield* run([
          JobRunner.handle(toy, ({ note }) =>
            Effect.gen(function*() {
              seen.push(note)
              if (note === "new") return
              yield* Deferred.succeed(begun, undefined)
              yield* Deferred.await(goOn)
              return yield* new Job.JobPostponed({ delayMillis: 0, message: "again" })
            }))
        ])
        yield* queue.add(toy, { name: "a", note: "old" })
        yield* Deferred.await(begun)
        yield* queue.add(toy, { name: "a", note: "new" })
        yield* Deferred.succeed(goOn, undefined)
        yield* queueIsEmpty
        assert.deepStrictEqual(seen.toSorted(), ["new", "old"])
        assert.deepStrictEqual(yield* letters, [])
      })
    ))

  it.live("of a lower priority number runs first, and among equals the one that waits longest", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        for (const [name, priority] of [["d", 40], ["a", 0], ["c", 20], ["b", 10], ["e", 40]] as const) {
          yield* queue.add(toy, { name }, { priority })
        }
        yield* run([JobRunner.handle(toy, ({ name }) => Effect.sync(() => void seen.push(name)))], { concurrency: 1 })
        yield* queueIsEmpty
        assert.deepStrictEqual(seen, ["a", "b", "c", "d", "e"])
      })
    ))

  it.live("of a backfill keeps its slot until the next may begin; one that is live does not", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const began: Array<number> = []
        for (const priority of [0, 0, 0, 30, 30, 30]) yield* queue.add(toy, { name: randomUUID() }, { priority })
        yield* run([JobRunner.handle(toy, () => Effect.sync(() => began.push(performance.now())))], {
          concurrency: 1,
          fetchAhead: 10,
          backfillRate: 2
        })
        yield* queueIsEmpty
        const gaps = began.slice(1).map((at, index) => at - began[index]!)
        assert.isBelow(Math.max(...gaps.slice(0, 3)), 490)
        assert.isAbove(Math.min(...gaps.slice(3)), 490)
      })
    ))

  it.live("that is live does not wait behind a backfill that was fetched before it, where some slots fetch one by one", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const begun = yield* Deferred.make<void>()
        const liveBegan = yield* Deferred.make<number>()
        let seen = 0
        const handler = JobRunner.handle(toy, ({ name }) =>
          Effect.gen(function*() {
            seen++
            yield* name === "live" ? Deferred.succeed(liveBegan, seen) : Deferred.succeed(begun, undefined)
          }))
        for (let k = 0; k < 200; k++) yield* queue.add(toy, { name: String(k) }, { priority: 30 })
        yield* run([handler], {
          concurrency: 2,
          fetchAhead: 50,
          backfillRate: 1,
          beside: [{ handlers: [handler], concurrency: 1, fetchAhead: 0, recorded: false }]
        })
        yield* Deferred.await(begun)
        yield* queue.add(toy, { name: "live" })
        assert.isBelow(yield* Deferred.await(liveBegan), 100)
      })
    ))
})

describe.concurrent("a runner that stops", () => {
  it.live("lets finish what cannot be cut off, gives back what can be, and leaves no job locked", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const begun = { long: yield* Deferred.make<void>(), firm: yield* Deferred.make<void>() }
        const wasCut = yield* Deferred.make<void>()
        const gate = yield* Deferred.make<void>()
        const finished: Array<string> = []
        const handler = JobRunner.handle(toy, ({ name }) =>
          Effect.gen(function*() {
            if (name === "long") {
              yield* Deferred.succeed(begun.long, undefined)
              yield* Effect.never.pipe(
                Effect.onInterrupt(() => Deferred.succeed(wasCut, undefined)),
                Effect.interruptible
              )
            }
            if (name === "firm") {
              yield* Deferred.succeed(begun.firm, undefined)
              yield* Deferred.await(gate)
            }
            finished.push(name)
          }))
        const scope = yield* Scope.make()
        yield* queue.add(toy, { name: "long" })
        yield* queue.add(toy, { name: "firm" })
        for (let k = 0; k < 4; k++) yield* queue.add(toy, { name: `later ${k}` }, { priority: 5 })
        yield* Scope.provide(run([handler], { concurrency: 2, fetchAhead: 4 }), scope)
        yield* Deferred.await(begun.long)
        yield* Deferred.await(begun.firm)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* Deferred.await(wasCut)
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(closing)

        assert.include(finished, "firm")
        assert.notInclude(finished, "long")
        const left = yield* sql<{ key: string; attempts: number; locked: boolean }>`
          select key, attempts, locked_at is not null as locked from graphile_worker._private_jobs order by key`
        assert.deepStrictEqual(
          left.map(({ attempts, locked }) => ({ attempts, locked })),
          left.map(() => ({
            attempts: 0,
            locked: false
          }))
        )
        assert.deepStrictEqual(
          [...left.map(({ key }) => key.slice(4)), ...finished].toSorted(),
          ["firm", "later 0", "later 1", "later 2", "later 3", "long"]
        )
        assert.include((yield* runs).filter(({ key }) => key === "toy:long").map(({ status }) => status), "interrupted")

        yield* run([JobRunner.handle(toy, ({ name }) => Effect.sync(() => void finished.push(name)))])
        yield* queueIsEmpty
        assert.deepStrictEqual(
          finished.toSorted(),
          ["firm", "later 0", "later 1", "later 2", "later 3", "long"]
        )
        assert.deepStrictEqual(yield* letters, [])
      })
    ))
})

describe.concurrent("a job that was there at two crashes", () => {
  it.live("runs alone, is accused while it does, and is acquitted when it ends, however it ends", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        for (const name of ["good", "bad"]) yield* queue.add(toy, { name })
        yield* sql`insert into job_crashes select id, 2 from graphile_worker._private_jobs`
        yield* queue.add(toy, { name: "free" })
        const freeBegan = yield* Deferred.make<void>()
        let running = 0
        let mostAtOnce = 0
        const accused: Array<unknown> = []
        yield* run([
          JobRunner.handle(toy, ({ name }) =>
            Effect.gen(function*() {
              if (name === "free") return yield* Deferred.succeed(freeBegan, undefined)
              mostAtOnce = Math.max(mostAtOnce, ++running)
              accused.push(...yield* Effect.orDie(sql`select count(*)::int as n from job_crashes where accused`))
              yield* Deferred.await(freeBegan)
              running--
              if (name === "bad") return yield* new Job.JobRefused({ reason: "odd", message: "bad" })
            }))
        ])
        yield* queueIsEmpty
        assert.strictEqual(mostAtOnce, 1)
        assert.deepStrictEqual(accused, [{ n: 1 }, { n: 1 }])
        assert.deepStrictEqual(yield* sql`select * from job_crashes`, [])
      })
    ))
})

describe.concurrent("a job that was there at two crashes and takes long", () => {
  it.live("does not hold up such jobs of another pool", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const slow = Job.make({ ...toy, name: "slow", key: ({ name }) => `slow:${name}` })
        yield* queue.add(slow, { name: "first" })
        yield* queue.add(toy, { name: "second" })
        yield* sql`insert into job_crashes select id, 2 from graphile_worker._private_jobs`
        const begun = yield* Deferred.make<void>()
        const over = yield* Deferred.make<void>()
        const slowly = JobRunner.handle(
          slow,
          () => Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(over))
        )
        yield* run([
          JobRunner.handle(toy, () => Effect.andThen(Deferred.await(begun), Deferred.succeed(over, undefined)))
        ], {
          beside: [{ handlers: [slowly], concurrency: 1, fetchAhead: 0, recorded: true }]
        })
        yield* queueIsEmpty
      })
    ))
})

describe.concurrent("a job that does not end", () => {
  it.live("costs the process its life", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const lost = yield* Deferred.make<string>()
        const endless = Job.make({ ...toy, name: "endless", deadlineMillis: 50 })
        yield* run([JobRunner.handle(endless, () => Effect.interruptible(Effect.never))], {
          onLost: (reason) => Deferred.doneUnsafe(lost, Effect.succeed(reason))
        })
        yield* queue.add(endless, { name: "a" })
        assert.strictEqual(yield* Deferred.await(lost), "endless toy:a does not end")
      })
    ))
})

const clock = Job.make({
  name: "clock",
  payload: Schema.Struct({}),
  key: () => "clock",
  tier: "repair",
  every: 3_600_000
})

describe.concurrent("a job that keeps itself going", () => {
  it.live("is there exactly once, over all runners, whether its runs succeed or not", () =>
    withBench(({ run }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        let times = 0
        let running = 0
        let mostAtOnce = 0
        const handler = JobRunner.handle(clock, () =>
          Effect.gen(function*() {
            mostAtOnce = Math.max(mostAtOnce, ++running)
            // So that another could begin meanwhile, if there were one.
            yield* hurryUnlocked(sql)
            running--
            if (++times % 2 === 0) return yield* new Job.JobRefused({ reason: "odd", message: "even" })
          }))
        yield* Effect.all([run([handler]), run([handler])], { concurrency: 2 })
        for (let time = 1; time <= 4; time++) {
          const rows = yield* eventually(
            (sql) =>
              sql<{ wait: number; attempts: number }>`
                select extract(epoch from run_at - now())::float8 as wait, attempts from graphile_worker._private_jobs
                where task_id = (select id from graphile_worker._private_tasks where identifier = 'clock')`,
            (rows) => times === time && rows.length === 1 && rows[0]!.wait > 0
          )
          assert.isAbove(rows[0]!.wait, 3500)
          assert.strictEqual(rows[0]!.attempts, 0)
          // Another replica comes up: its start changes nothing.
          if (time === 2) yield* run([handler])
          yield* hurry
        }
        yield* eventually(() => Effect.sync(() => times), (times) => times === 5)
        assert.strictEqual(mostAtOnce, 1)
        assert.deepStrictEqual((yield* letters).map(({ key, reason }) => [key, reason]), [["clock", "odd"]])
      })
    ))
})

describe.concurrent("a job that keeps itself going, and used up its attempts in crashes,", () => {
  it.live("goes on when the next runner starts, and one that is being run elsewhere is left alone", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* queue.ensure(clock, {})
        yield* sql`update graphile_worker._private_jobs set attempts = 3, locked_at = now(), locked_by = 'somebody'`
        yield* queue.ensure(clock, {})
        assert.deepStrictEqual(
          yield* sql`select attempts, locked_by from graphile_worker._private_jobs`,
          [{ attempts: 3, locked_by: "somebody" }]
        )
        yield* sql`update graphile_worker._private_jobs set locked_at = null, locked_by = null`
        const ran = yield* Deferred.make<void>()
        yield* run([JobRunner.handle(clock, () => Deferred.succeed(ran, undefined))])
        yield* Deferred.await(ran)
      })
    ))
})

const hurryUnlocked = (sql: SqlClient.SqlClient) =>
  Effect.orDie(Effect.andThen(
    sql`update graphile_worker._private_jobs set run_at = now() where locked_at is null`,
    sql`select pg_notify('jobs:insert', '{"count":1}')`
  ))

describe.concurrent("the queue", () => {
  it.live("counts its jobs by task and priority", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const begun = yield* Deferred.make<void>()
        const other = Job.make({ name: "other", payload: Schema.Struct({}), key: () => undefined, tier: "backfill" })
        yield* run([
          JobRunner.handle(toy, ({ name }) =>
            name === "stuck"
              ? Effect.andThen(Deferred.succeed(begun, undefined), Effect.interruptible(Effect.never))
              : name === "bad"
              ? Effect.fail(new Job.JobRefused({ reason: "never", message: "no" }))
              : Effect.void)
        ])
        yield* queue.add(toy, { name: "stuck" })
        yield* queue.add(toy, { name: "good" })
        yield* queue.add(toy, { name: "bad" })
        yield* queue.add(toy, { name: "later" }, { delayMillis: 60_000 })
        yield* queue.add(toy, { name: "idle" }, { delayMillis: 60_000, priority: 20 })
        yield* queue.add(other, {})
        yield* queue.add(other, {})
        yield* Deferred.await(begun)
        const stats = yield* eventually(
          () => queue.stats(),
          (rows) => rows.some(({ active, completed, failed }) => completed === 1 && failed === 1 && active === 1)
        )
        const none = { waiting: 0, scheduled: 0, active: 0, failed: 0, completed: 0, oldest_waiting: null }
        const since = stats[0]!.oldest_waiting
        assert.instanceOf(since, Date)
        assert.deepStrictEqual(stats, [
          { ...none, task: "other", priority: 30, waiting: 2, oldest_waiting: since },
          { ...none, task: "toy", priority: 0, scheduled: 1, active: 1, failed: 1, completed: 1 },
          { ...none, task: "toy", priority: 20, scheduled: 1 }
        ])
        assert.deepStrictEqual((yield* queue.stats("other")).map(({ task }) => task), ["other"])
      })
    ))

  it.live("puts dead letters back with all their attempts, or forgets them, of one task only", () =>
    withBench(({ queue, run }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`
          insert into dead_letters (task, key, payload, reason, error, attempts, priority) values
            ('toy', 'toy:a', '{"name":"a","note":"\\u0000"}', 'no_luck', '', 3, 10),
            ('toy', null, '{"name":"b"}', 'no_luck', '', 3, 0),
            ('other', 'x', '{}', 'no_luck', '', 3, 0)`
        assert.strictEqual(yield* queue.retryFailed("nothing"), 0)
        assert.strictEqual(yield* queue.retryFailed("toy"), 2)
        assert.deepStrictEqual((yield* letters).map(({ task }) => task), ["other"])
        assert.deepStrictEqual(
          yield* sql`
            select key, attempts, max_attempts, priority::int from graphile_worker._private_jobs order by key nulls last`,
          [
            { key: "toy:a", attempts: 0, max_attempts: 3, priority: 10 },
            { key: null, attempts: 0, max_attempts: 3, priority: 0 }
          ]
        )
        const seen: Array<unknown> = []
        yield* run([JobRunner.handle(toy, (payload) => Effect.sync(() => void seen.push(payload)))], { concurrency: 1 })
        yield* queueIsEmpty
        assert.deepStrictEqual(seen, [{ name: "b" }, { name: "a", note: "\0" }])
        assert.strictEqual(yield* queue.clearFailed("toy"), 0)
        assert.strictEqual(yield* queue.clearFailed("other"), 1)
        assert.deepStrictEqual(yield* letters, [])
      })
    ))

  it.live("has a job when the transaction that added it commits, and only then", () =>
    withBench(({ queue }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const keys = Effect.map(
          sql<{ key: string }>`select key from graphile_worker.jobs order by key`,
          (rows) => rows.map(({ key }) => key)
        )
        const outside = yield* Deferred.make<ReadonlyArray<string>>()
        yield* queue.add(toy, { name: "rolled back" }).pipe(
          Effect.andThen(Effect.fail("no" as const)),
          sql.withTransaction,
          Effect.ignore
        )
        assert.deepStrictEqual(yield* keys, [])
        const look = yield* Deferred.make<void>()
        yield* Effect.forkChild(
          Effect.andThen(Deferred.await(look), Effect.flatMap(keys, (seen) => Deferred.succeed(outside, seen)))
        )
        yield* queue.add(toy, { name: "kept" }).pipe(
          Effect.andThen(Deferred.succeed(look, undefined)),
          Effect.andThen(Deferred.await(outside)),
          sql.withTransaction
        )
        assert.deepStrictEqual(yield* Deferred.await(outside), [])
        assert.deepStrictEqual(yield* keys, ["toy:kept"])
      })
    ))

  it.live("holds one job of a key: the one added last", () =>
    withBench(({ queue }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* queue.add(toy, { name: "a", note: "first" })
        yield* queue.add(toy, { name: "a", note: "last" })
        assert.deepStrictEqual(yield* sql`select payload from graphile_worker._private_jobs`, [{
          payload: { name: "a", note: "last" }
        }])
      })
    ))
})
