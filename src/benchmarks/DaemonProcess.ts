/** A daemon as an operator runs it: processes of their own beside the benchmark. */
import { Effect, Redacted, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { cpuOfTree } from "./Cpu.ts"
import { BenchmarkFailed } from "./Ground.ts"

const main = join(import.meta.dirname, "../main.ts")
/** As `npm start` has it. */
const execArgv = ["--max-semi-space-size=4"]
/** Milliseconds that a daemon gets to stop. */
const stopMillis = 15_000
/** A daemon that has not prepared itself by then never will. */
const patience = "3 minutes"

/** What is set where the benchmark runs says nothing of the daemon that it measures. */
const isForeign = (name: string): boolean => /^(KILLMAILD_|OTEL_|DATABASE_URL)/.test(name)

export interface DaemonProcess {
  readonly pid: number
  /** Milliseconds of CPU that all its processes have spent; undefined where nothing tells. */
  readonly cpu: () => number | undefined
  /** Does this, and fails as soon as the daemon ends. */
  readonly during: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E | BenchmarkFailed, R>
}

/** What is a daemon's own. */
export interface Place {
  readonly databaseUrl: Redacted.Redacted
  readonly directory: string
}

/** `serve` with these roles, until the scope closes; settings say what it asks. */
export const start = Effect.fnUntraced(function*(
  { databaseUrl, directory }: Place,
  roles: string,
  settings: Readonly<Record<string, string>>
) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [...execArgv, main, "serve", "--roles", roles], {
        stdio: ["ignore", "ignore", "inherit"],
        env: {
          ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !isForeign(name))),
          DATABASE_URL: Redacted.value(databaseUrl),
          KILLMAILD_DATA_DIR: directory,
          KILLMAILD_LOG_LEVEL: "error",
          KILLMAILD_CONTACT: "benchmark@localhost",
          ...settings
        }
      })
    ),
    stop
  )
  const daemon: DaemonProcess = {
    pid: child.pid!,
    cpu: () => cpuOfTree(child.pid!),
    during: (work) => Effect.raceFirst(work, endOf(child))
  }
  return daemon
})

const stop = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    const deadline = setTimeout(() => child.kill("SIGKILL"), stopMillis)
    child.once("exit", () => {
      clearTimeout(deadline)
      resume(Effect.void)
    })
    child.kill("SIGTERM")
  })

const endOf = (child: ChildProcess) =>
  Effect.callback<never, BenchmarkFailed>((resume) => {
    const tell = () => resume(Effect.fail(new BenchmarkFailed({ message: "The daemon ended before the benchmark." })))
    if (child.exitCode !== null || child.signalCode !== null) tell()
    else child.once("exit", tell)
    return Effect.sync(() => child.off("exit", tell))
  })

/** Asks until the answer is yes. */
export const until = <E, R>(what: string, question: Effect.Effect<boolean, E, R>) =>
  question.pipe(
    Effect.repeat({ until: (yes) => yes, schedule: Schedule.spaced("25 millis") }),
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.fail(new BenchmarkFailed({ message: `The daemon did not get ready: ${what}.` }))
    })
  )

/** A new daemon learns what things are and cost, and looks after it once a day: the benchmark is of all other hours. */
export const isPrepared = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const done = yield* sql`
    select distinct task from job_runs
    where task in ('refresh_static_data', 'refresh_prices') and status = 'completed'`
  return done.length === 2
})
