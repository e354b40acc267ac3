/**
 * A whole killmaild of real processes under fire: daemon and jobs' process are killed, Postgres crashes, upstreams err; and
 * at the end an audit asks whether anything was lost, doubled or told out of order.
 */
import { Effect, Fiber, Redacted, Schedule, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { WebSocket } from "ws"
import { toEsi } from "../../src/domain/Document.ts"
import * as EmbeddedPostgres from "../../src/postgres/EmbeddedPostgres.ts"
import * as Sandbox from "../../src/sandbox/Sandbox.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import * as Database from "../../src/store/Database.ts"
import { KillmailReader } from "../../src/store/KillmailReader.ts"
import { freePort } from "../support/FreePort.ts"
import { meaningOf } from "../support/Meaning.ts"

export interface Plan {
  readonly seed: string
  readonly killmails: number
  /** Who is killed, in this order, evenly over the run. */
  readonly kills: ReadonlyArray<"daemon" | "jobs" | "both" | "postgres">
  /** Share of upstream answers that are faulty. */
  readonly faults: number
  /** Of the sandbox. */
  readonly speed: number
}

export interface Outcome {
  readonly seconds: number
  /** Milliseconds from each kill to the next killmail stored, by what was killed. */
  readonly recoveries: ReadonlyArray<{ readonly killed: Plan["kills"][number]; readonly millis: number }>
  /** What the audit found; empty when all is well. */
  readonly findings: ReadonlyArray<string>
}

const root = new URL("../..", import.meta.url).pathname

/** The daemon as an operator runs it, started again as often as it is killed. */
const daemonOf = (env: NodeJS.ProcessEnv) => {
  const start = (): ChildProcess => {
    const child = spawn(process.execPath, ["src/main.ts", "serve"], {
      cwd: root,
      env,
      stdio: ["ignore", "ignore", "pipe"]
    })
    child.stderr!.on("data", (text: Buffer) => {
      if (process.env["KILLMAILD_SOAK_LOG"] !== undefined) process.stderr.write(text)
    })
    child.once("exit", () => {
      if (!stopped) current = start()
    })
    return child
  }
  let stopped = false
  let current = start()
  return {
    pid: () => current.pid!,
    stop: () =>
      new Promise<void>((resolve) => {
        stopped = true
        current.once("exit", () => resolve())
        current.kill("SIGTERM")
      })
  }
}

/** The children of a process, as Linux tells them. */
const childrenOf = (parent: number): ReadonlyArray<number> =>
  readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")[1] === String(parent)
    } catch {
      return false
    }
  })

/** A bot that comes back after every disconnection with the last sequence it has. */
const subscriber = (url: string) => {
  const heard: Array<number> = []
  let closed = false
  let socket: WebSocket | undefined
  const connect = () => {
    if (closed) return
    socket = new WebSocket(url)
    socket.on("open", () => socket!.send(JSON.stringify({ action: "subscribe", id: "all", after: heard.at(-1) ?? 0 })))
    socket.on("message", (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { readonly type: string; readonly sequence: number }
      if (frame.type === "killmail") heard.push(frame.sequence)
    })
    socket.on("error", () => {})
    socket.on("close", () => setTimeout(connect, 50))
  }
  connect()
  return {
    heard,
    close: () => {
      closed = true
      socket?.terminate()
    }
  }
}

/** Asks until the answer is yes; a database that is not there has not answered. */
const until = <E>(question: Effect.Effect<boolean, E>) =>
  question.pipe(
    Effect.catch(() => Effect.succeed(false)),
    Effect.repeat({ until: (yes) => yes, schedule: Schedule.spaced("25 millis") })
  )

export const run = (plan: Plan): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-soak-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const postgres = yield* EmbeddedPostgres.start({ directory: join(directory, "postgres") })
    const sandbox = yield* Sandbox.start({
      port: 0,
      speed: plan.speed,
      seed: plan.seed,
      faults: plan.faults,
      world: "manual"
    })
    const port = yield* freePort
    const daemon = yield* Effect.acquireRelease(
      Effect.sync(() =>
        daemonOf({
          ...process.env,
          DATABASE_URL: postgres.url,
          KILLMAILD_DATA_DIR: directory,
          KILLMAILD_PORT: String(port),
          KILLMAILD_CONTACT: "soak@localhost",
          KILLMAILD_FEEDS: "r2z2",
          KILLMAILD_R2Z2_RATE: String(10 * plan.speed),
          KILLMAILD_R2Z2_POLL: `${6000 / plan.speed + 5}ms`,
          KILLMAILD_SCHEDULE_SPEED: String(20 * plan.speed),
          ...sandbox.environment
        })
      ),
      (daemon) => Effect.promise(() => daemon.stop())
    )
    const bots = yield* Effect.acquireRelease(
      Effect.sync(() => [subscriber(`ws://127.0.0.1:${port}/ws`), subscriber(`ws://127.0.0.1:${port}/ws`)]),
      (bots) => Effect.sync(() => bots.forEach((bot) => bot.close()))
    )

    const mails = Array.from({ length: plan.killmails }, (_, k) => killmailOf(plan.seed, k))
    for (const { hash, killmail } of mails) sandbox.knowToEsi(killmail, hash)
    const began = performance.now()

    const onDatabase = <A, E>(effect: Effect.Effect<A, E, SqlClient.SqlClient>) =>
      effect.pipe(Effect.provide(Database.layer(Redacted.make(postgres.url))))
    const stored = onDatabase(Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const [row] = yield* sql<{ n: number }>`select count(*)::int as n from killmail_ledger`
      return row!.n
    })).pipe(Effect.timeout("2 seconds"), Effect.catch(() => Effect.succeed(undefined)))
    const atLeast = Effect.fnUntraced(function*(count: number) {
      for (;;) {
        const now = yield* stored
        if (now !== undefined && now >= count) return now
        yield* Effect.sleep("25 millis")
      }
    })

    // A fresh daemon begins after the head that it finds: it has to find one first.
    yield* until(onDatabase(Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      return (yield* sql`select from feed_cursors where cursor is not null`).length > 0
    })))
    const publishing = yield* Effect.forkChild(Effect.gen(function*() {
      for (const { hash, killmail, zkb } of mails) {
        sandbox.publishR2z2({ esi: killmail, hash, zkb })
        yield* Effect.sleep(1000 / (4 * plan.speed))
      }
    }))

    yield* atLeast(1)
    const recoveries: Array<Outcome["recoveries"][number]> = []
    for (const [index, killed] of plan.kills.entries()) {
      yield* atLeast(Math.floor((index + 1) * plan.killmails / (plan.kills.length + 1)))
      const jobs = childrenOf(daemon.pid())
      if (killed === "postgres") {
        process.kill(
          Number(readFileSync(join(directory, "postgres", "postmaster.pid"), "utf8").split("\n")[0]),
          "SIGQUIT"
        )
      }
      if (killed === "daemon" || killed === "both") process.kill(daemon.pid(), "SIGKILL")
      if (killed === "jobs" || killed === "both") { for (const pid of jobs) process.kill(pid, "SIGKILL") }
      const at = performance.now()
      const before = (yield* stored) ?? (yield* atLeast(0))
      if (before < plan.killmails) yield* atLeast(before + 1)
      recoveries.push({ killed, millis: Math.round(performance.now() - at) })
    }
    yield* Fiber.join(publishing)
    yield* atLeast(plan.killmails)
    for (let tries = 0; tries < 400 && bots.some(({ heard }) => (heard.at(-1) ?? 0) < plan.killmails); tries++) {
      yield* Effect.sleep("25 millis")
    }
    const seconds = (performance.now() - began) / 1000
    const findings = [
      ...(yield* onDatabase(audit(mails))),
      ...sandbox.violations().map((violation) => `upstream rule broken: ${JSON.stringify(violation)}`),
      ...bots.flatMap(({ heard }, bot) =>
        heard.length === plan.killmails && heard.every((sequence, index) => sequence === index + 1)
          ? []
          : [
            `subscriber ${bot} heard ${heard.length} frames up to ${
              heard.at(-1)
            }, not 1 to ${plan.killmails} in order: ` +
            `the first that is wrong is ${heard.find((sequence, index) => sequence !== index + 1)}`
          ]
      )
    ]
    return { seconds, recoveries, findings }
  })

/** The invariants, asked of the tables; each finding is a sentence. */
const audit = Effect.fnUntraced(function*(mails: ReadonlyArray<ReturnType<typeof killmailOf>>) {
  const sql = yield* SqlClient.SqlClient
  const findings: Array<string> = []
  const none = Effect.fnUntraced(function*(what: string, rows: Effect.Effect<ReadonlyArray<unknown>, unknown>) {
    for (let tries = 0;; tries++) {
      const found = yield* rows
      if (found.length === 0) return
      if (tries === 200) {
        findings.push(
          `${what}: ${
            JSON.stringify(found.slice(0, 3), (_key, value) => typeof value === "bigint" ? Number(value) : value)
          }`
        )
        return
      }
      yield* Effect.sleep("25 millis")
    }
  })
  yield* none(
    "still in the queue",
    sql`
    select task_identifier, attempts, locked_by, last_error from graphile_worker.jobs
    where task_identifier = 'ingest_killmail'`
  )
  yield* none(
    "locked by a pool that is dead",
    sql`
    select id from graphile_worker.jobs
    where locked_by is not null and locked_by not in (select pool_id from job_pools where ended_at is null)`
  )
  const once = sql`select * from dead_letters where task <> 'feed'`
  yield* none("dead letters", once)
  const [counts] = yield* sql<{ rows: number; ids: number; last: number }>`
    select (select count(*)::int from killmails) as rows, (select count(distinct killmail_id)::int from killmails) as ids,
      (select max(sequence)::int from killmail_ledger) as last`
  for (const [name, count] of Object.entries(counts!)) {
    if (count !== mails.length) findings.push(`${name}: ${count}, not ${mails.length}`)
  }
  yield* Effect.gen(function*() {
    const reader = yield* KillmailReader
    for (const { killmail } of mails) {
      const row = yield* reader.find(killmail.killmail_id)
      if (row._tag === "None") findings.push(`killmail ${killmail.killmail_id} is lost`)
      else if (meaningOf(toEsi(row.value)) !== meaningOf(killmail)) {
        findings.push(`killmail ${killmail.killmail_id} differs`)
      }
    }
  }).pipe(Effect.provide(KillmailReader.layer))
  return findings
})
