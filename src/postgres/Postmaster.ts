/** The server that runs on a data directory now, if one does, whoever started it. */
import { Effect, Option, Schedule } from "effect"
import { readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { attempt, EmbeddedPostgresError } from "./EmbeddedPostgresError.ts"
import { run } from "./Program.ts"

export interface Postmaster {
  readonly pid: number
  /** Directory of its socket. */
  readonly sockets: string
  readonly ready: boolean
}

/** Reaches `killmaild` through the socket: node-pg, sql-pg and psql accept it, and no shell needs it quoted. */
export const urlOf = (sockets: string, database = "killmaild"): string =>
  `postgres://postgres@${encodeURIComponent(sockets)}/${database}`

/** `postmaster.pid` outlives a crash, and its process id may be another program's by now: believed only when checked. */
export const find = Effect.fnUntraced(function*(data: string) {
  const text = yield* attempt(
    `read ${data}/postmaster.pid`,
    () => readFile(join(data, "postmaster.pid"), "utf8").catch(emptyIfAbsent)
  )
  const [pid, , , , sockets = "", , , status = ""] = text.split("\n").map((line) => line.trim())
  const postmaster: Postmaster = { pid: Number(pid), sockets, ready: status === "ready" }
  return (yield* runs(postmaster.pid, data)) ? Option.some(postmaster) : Option.none()
})

const emptyIfAbsent = (error: NodeJS.ErrnoException) => {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return ""
  throw error
}

/** Whether this process is a Postgres on these data. A dead one that nobody reaped has no command line left. */
const runs = Effect.fnUntraced(function*(pid: number, data: string) {
  if (!Number.isInteger(pid) || pid <= 0) return false
  const linux = yield* Effect.promise(() => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => undefined))
  if (linux !== undefined) return linux.includes(`\0-D\0${data}\0`)
  if (process.platform === "linux") return false
  const listed = yield* run("ps", ["-o", "command=", "-p", String(pid)])
  return listed.ok && listed.output.includes(` -D ${data} `)
})

/** Signals one after another, each with the milliseconds it has: break off and save, break off, end. */
const stopSignals = [["SIGINT", 60_000], ["SIGQUIT", 10_000], ["SIGKILL", 10_000]] as const

/** Stops a server in bounded time, whatever it is doing; `gone` completes when it has ended. */
export const stop = Effect.fnUntraced(function*(send: (signal: NodeJS.Signals) => void, gone: Effect.Effect<void>) {
  for (const [signal, patience] of stopSignals) {
    yield* Effect.sync(() => send(signal))
    if (Option.isSome(yield* Effect.timeoutOption(gone, patience))) return true
  }
  return false
})

const signalIfThere = (pid: number, signal: NodeJS.Signals) => {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error
  }
}

/**
 * Stops the server that a killed daemon left behind; only for who holds the directory. After that a `postmaster.pid` is
 * stale, and is removed because Postgres would take any process with that id for its own.
 */
export const stopOrphan = Effect.fnUntraced(function*(data: string) {
  const orphan = yield* find(data)
  if (Option.isSome(orphan)) {
    const { pid } = orphan.value
    yield* Effect.logInfo(`Stopping the PostgreSQL (process ${pid}) that a killed killmaild left on ${data}.`)
    const gone = runs(pid, data).pipe(
      Effect.repeat({ schedule: Schedule.spaced("20 millis"), while: (running) => running }),
      Effect.asVoid
    )
    if (!(yield* stop((signal) => signalIfThere(pid, signal), gone))) {
      return yield* new EmbeddedPostgresError({
        message: `Cannot stop the PostgreSQL that runs on ${data} as process ${pid}: stop it by hand.`
      })
    }
  }
  yield* attempt(`remove ${data}/postmaster.pid`, () => rm(join(data, "postmaster.pid"), { force: true }))
})
