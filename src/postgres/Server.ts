/** One Postgres process: become it, hear what it says, know when it answers. */
import { Effect, Schedule } from "effect"
import { spawn } from "node:child_process"
import { open, readFile, rename, stat } from "node:fs/promises"
import type { Writable } from "node:stream"
import { Client, DatabaseError } from "pg"
import type { Account } from "./Account.ts"
import { postgresOf } from "./Binaries.ts"
import { EmbeddedPostgresError, reasonOf } from "./EmbeddedPostgresError.ts"
import { urlOf } from "./Postmaster.ts"
import { environment } from "./Program.ts"

export interface Launch {
  readonly account: Account
  readonly data: string
  readonly sockets: string
  readonly settings: Readonly<Record<string, string>>
  readonly log: string
}

/**
 * Becomes Postgres, but first leaves a process behind that waits for the daemon to close file 3: so the server stops
 * even when the daemon was killed. A line on it says that the server has ended already.
 */
const watched = `( { read -r _ <&3 || kill -INT "$$"; } & ) ; exec "$@" 3<&-`

export const spawnOn = async ({ account, data, sockets, settings, log }: Launch) => {
  const file = await openLog(log)
  const logged = (await file.stat()).size
  const flags = Object.entries({ listen_addresses: "", unix_socket_directories: sockets, ...settings })
    .flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const postgres = postgresOf(account.binaries)
  const [program, ...args] = account.wrap(["sh", "-c", watched, "sh", postgres, "-D", data, ...flags])
  const child = spawn(program, args, {
    ...account.identity,
    cwd: "/",
    env: environment,
    stdio: ["ignore", file.fd, file.fd, "pipe"],
    // Its own session, so that Ctrl-C at a terminal reaches the daemon alone, which still needs it to finish.
    detached: true
  })
  const line = child.stdio[3] as Writable
  line.on("error", () => {})
  const over = new Promise<void>((done) => child.once("exit", () => done()))
  await new Promise((spawned, failed) => child.once("spawn", spawned).once("error", failed))
    .finally(() => file.close())
  return {
    pid: child.pid!,
    ended: Effect.promise(() => over),
    /** Goes to no other process that has its id by now. */
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    /** After its end. */
    release: () => line.end("ended\n"),
    /** What it wrote in this life. */
    said: async () => (await readFile(log)).subarray(logged).toString()
  }
}

const logLimit = 16 * 1024 * 1024

/** Keeps one earlier file. */
const openLog = async (log: string) => {
  const size = await stat(log).then((stats) => stats.size, () => 0)
  if (size > logLimit) await rename(log, `${log}.1`)
  return open(log, "a", 0o600)
}

/** Waits until the server answers, however long recovery after a crash takes, and sees to the database. */
export const ready = (sockets: string) =>
  Effect.tryPromise({
    try: async () => {
      const client = new Client(urlOf(sockets, "template1"))
      client.on("error", () => {})
      try {
        await client.connect()
        const { rowCount } = await client.query("select from pg_database where datname = 'killmaild'")
        if (rowCount === 0) await client.query("create database killmaild")
      } finally {
        await client.end()
      }
    },
    catch: (cause) => cause
  }).pipe(
    Effect.retry({ schedule: Schedule.spaced("20 millis"), while: isNotReady }),
    Effect.mapError((cause) =>
      new EmbeddedPostgresError({
        message: `PostgreSQL started, but cannot be used: ${reasonOf(cause)}.`
      })
    )
  )

/** No socket yet, or SQLSTATE cannot_connect_now: starting up or recovering. */
const isNotReady = (cause: unknown) => !(cause instanceof DatabaseError) || cause.code === "57P03"
