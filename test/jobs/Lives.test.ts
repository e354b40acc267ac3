import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { fork } from "node:child_process"
import { once } from "node:events"
import { tmpdir } from "node:os"
import type { FromChild, FromParent } from "../../src/jobs/JobChannel.ts"
import { JobsProcess } from "../../src/jobs/JobsProcess.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import * as Database from "../../src/store/Database.ts"
import {
  eventually,
  manualSandbox,
  migratedDatabase,
  settingsFor,
  startDaemon,
  startDaemonWithJobsApart
} from "../support/TestDaemon.ts"

const stored = (count: number) =>
  eventually(
    (sql) => sql<{ n: number }>`select count(*)::int as n from killmail_ledger`,
    ([row]) => row!.n === count
  )

const publish = (sandbox: Effect.Success<ReturnType<typeof manualSandbox>>, from: number, to: number) => {
  for (let k = from; k < to; k++) {
    const { hash, killmail, zkb } = killmailOf("lives", k)
    sandbox.publishR2z2({ esi: killmail, hash, zkb })
  }
}

describe("jobs in this process", () => {
  it.live("begin anew when Postgres ends their connections, and nothing stays locked or is lost", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { context } = yield* startDaemon(sandbox)
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        publish(sandbox, 0, 10)
        yield* stored(10)
        for (let round = 1; round <= 3; round++) {
          const [first] = yield* sql<{ name: string }>`
            select application_name as name from job_pools where ended_at is null order by heartbeat_at desc limit 1`
          publish(sandbox, round * 10, round * 10 + 10)
          yield* sql`
            select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()`
          yield* stored(round * 10 + 10)
          const [next] = yield* eventually(
            (sql) => sql<{ name: string }>`select application_name as name from job_pools where ended_at is null`,
            (rows) => rows.length > 0 && rows.every(({ name }) => name !== first!.name)
          )
          assert.notStrictEqual(next!.name, first!.name)
        }
        yield* eventually(
          (sql) => sql`select id from graphile_worker.jobs where locked_at is not null and task_identifier <> 'canary'`,
          (rows) => rows.length === 0
        )
        assert.deepStrictEqual(yield* sql`select * from dead_letters`, [])
        const [ledger] = yield* sql<{ last: number }>`select max(sequence)::int as last from killmail_ledger`
        assert.strictEqual(ledger!.last, 40)
      }).pipe(Effect.provide(context))
    }))
})

describe("jobs in a process of their own", () => {
  it.live("are run by the next process when it is killed or frozen, each once, and it costs them no attempt", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const context = yield* startDaemonWithJobsApart(sandbox)
      const child = Context.get(context, JobsProcess)
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        publish(sandbox, 0, 20)
        yield* stored(20)
        for (const [round, signal] of (["SIGKILL", "SIGKILL", "SIGSTOP"] as const).entries()) {
          const pid = child.pid()!
          publish(sandbox, 20 * (round + 1), 20 * (round + 2))
          process.kill(pid, signal)
          yield* stored(20 * (round + 2))
          assert.notStrictEqual(child.pid(), pid)
        }
        assert.deepStrictEqual(yield* sql`select * from dead_letters`, [])
        const [ledger] = yield* sql<{ last: number }>`select max(sequence)::int as last from killmail_ledger`
        assert.strictEqual(ledger!.last, 80)
        yield* eventually(
          (sql) => sql`select id from graphile_worker.jobs where task_identifier = 'ingest_killmail'`,
          (rows) => rows.length === 0
        )
      }).pipe(Effect.provide(context))
    }))
})

describe("a jobs' process", () => {
  it.live("ends itself when its parent is gone", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url } = yield* migratedDatabase
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          fork(new URL("../../src/JobsMain.ts", import.meta.url), {
            env: { ...process.env, ...settingsFor(sandbox, url, tmpdir()) },
            execArgv: [],
            stdio: ["ignore", "ignore", "ignore", "ipc"]
          })
        ),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      )
      const runsJobs = yield* Deferred.make<void>()
      child.on("message", (message: FromChild) => {
        const go: FromParent = { type: "go", applicationName: "killmaild jobs of a test", databaseUrl: url }
        if (message.type === "ready") child.send(go)
        if (message.type === "alive" && message.canaryMillis !== null) Deferred.doneUnsafe(runsJobs, Effect.void)
      })
      yield* Deferred.await(runsJobs)
      const ended = Effect.promise(() => once(child, "exit"))
      child.disconnect()
      assert.deepStrictEqual(yield* ended, [null, "SIGKILL"])
    }), 15_000)
})

describe("a job that a dead process had", () => {
  const dieWithAllJobs = Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const taken = yield* sql<{ attempts: number }>`
      update graphile_worker._private_jobs set locked_by = 'dead', locked_at = now(), attempts = attempts + 1
      returning attempts`
    yield* sql`select release_jobs_of(array['dead'])`
    return taken.map(({ attempts }) => attempts)
  })

  it.live("goes back with its attempt; the one that is accused at every death is a dead letter after ten", () =>
    Effect.gen(function*() {
      const { url } = yield* migratedDatabase
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        for (const name of ["poison", "bystander"]) {
          yield* sql`select id from graphile_worker.add_job(${name}, '{"n":1}', job_key => ${name}, max_attempts => 3)`
        }
        for (let death = 1; death <= 10; death++) {
          yield* sql`
            update job_crashes set accused = true
            where crashes >= 2 and job_id = (select id from graphile_worker.jobs where key = 'poison')`
          assert.deepStrictEqual(yield* dieWithAllJobs, [1, 1])
        }
        assert.deepStrictEqual(yield* sql`select key, attempts from graphile_worker.jobs`, [
          { key: "bystander", attempts: 0 }
        ])
        assert.deepStrictEqual(yield* sql`select task, key, reason from dead_letters`, [
          { task: "poison", key: "poison", reason: "crashes" }
        ])
      }).pipe(Effect.provide(Database.layer(Redacted.make(url))))
    }))
})
