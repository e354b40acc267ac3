/**
 * A real PostgreSQL 18 of the daemon's own, for whoever has none: made, started, watched and stopped. It listens on a
 * socket in a directory that only its user can enter, and on no port.
 */
import { Deferred, Effect, Option, Schedule, type Scope } from "effect"
import { createHash } from "node:crypto"
import { chown, mkdir, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import * as Account from "./Account.ts"
import * as Binaries from "./Binaries.ts"
import * as DataDirectory from "./DataDirectory.ts"
import * as DirectoryLock from "./DirectoryLock.ts"
import { attempt, EmbeddedPostgresError } from "./EmbeddedPostgresError.ts"
import * as Postmaster from "./Postmaster.ts"
import * as Server from "./Server.ts"

export { EmbeddedPostgresError }

export interface Options {
  /** Where the data are kept from run to run, such as `.killmaild/postgres`; made when absent. */
  readonly directory: string
  /** Settings of the server that differ from `defaultSettings`. */
  readonly settings?: Readonly<Record<string, string>>
  /** For tests: run as root does where user namespaces are forbidden, and put in here what must be moved for that. */
  readonly withoutNamespaceIn?: string
}

/** For a machine of 2 to 24 GiB that Postgres shares with the daemon, whose load is writing. */
const defaultSettings = {
  shared_buffers: "256MB",
  effective_cache_size: "1GB",
  maintenance_work_mem: "128MB",
  work_mem: "8MB",
  max_connections: "100",
  max_wal_size: "2GB",
  min_wal_size: "256MB",
  checkpoint_timeout: "15min",
  wal_compression: "off",
  random_page_cost: "1.1",
  jit: "off",
  log_checkpoints: "off",
  timezone: "UTC",
  log_timezone: "UTC",
  cluster_name: "killmaild"
}

/**
 * Runs the server until the scope closes. One that dies is started again under the same URL; one that a killed daemon
 * left behind is stopped first.
 */
export const start = Effect.fn("EmbeddedPostgres.start")(function*(
  options: Options
): Effect.fn.Return<{ readonly url: string; readonly pid: number }, EmbeddedPostgresError, Scope.Scope> {
  yield* attempt(
    `make ${dirname(resolve(options.directory))}`,
    () => mkdir(dirname(resolve(options.directory)), { recursive: true })
  )
  const place = yield* DataDirectory.canonical(options.directory)
  yield* DirectoryLock.hold(place)
  const account = yield* Account.choose(yield* Binaries.find, options.withoutNamespaceIn)
  const settings = { ...defaultSettings, ...options.settings }
  const data = yield* DataDirectory.prepare(account, place, { sync: options.settings?.["fsync"] !== "off" })
  if (data !== place) yield* DirectoryLock.hold(data)
  yield* Postmaster.stopOrphan(data)
  const sockets = yield* socketDirectory(account, data)
  const launch = { account, data, sockets, settings, log: `${place}.log` }

  const started = yield* Deferred.make<number, EmbeddedPostgresError>()
  yield* serve(launch, (pid) => Deferred.succeed(started, pid)).pipe(
    Effect.tapCause((cause) => Deferred.failCause(started, cause)),
    Effect.andThen(serveAgain(launch)),
    Effect.ignore,
    Effect.forkScoped
  )
  return { url: Postmaster.urlOf(sockets), pid: yield* Deferred.await(started) }
})

/** How another process reaches the server that runs on this data directory now, if one does. */
export const urlOfRunning = Effect.fn("EmbeddedPostgres.urlOfRunning")(function*(directory: string) {
  const data = yield* DataDirectory.follow(resolve(directory))
  return (yield* Postmaster.find(data)).pipe(
    Option.filter(({ ready }) => ready),
    Option.map(({ sockets }) => Postmaster.urlOf(sockets))
  )
})

/** One life of the server, from its start to its end by itself; interrupted, it stops it. */
const serve = (launch: Server.Launch, onReady: (pid: number) => Effect.Effect<unknown>) =>
  Effect.gen(function*() {
    const server = yield* Effect.acquireRelease(
      attempt("start PostgreSQL", () => Server.spawnOn(launch)),
      ({ signal, ended, release }) => Postmaster.stop(signal, ended).pipe(Effect.andThen(Effect.sync(release)))
    )
    const failed = server.ended.pipe(
      Effect.andThen(attempt("read the log of PostgreSQL", server.said)),
      Effect.flatMap((said) =>
        new EmbeddedPostgresError({
          message: `PostgreSQL did not start on ${launch.data}: ${DataDirectory.lastLines(said)}. See ${launch.log}.`
        })
      )
    )
    yield* Effect.raceAllFirst([Server.ready(launch.sockets), failed, sayThatItTakesLong])
    yield* onReady(server.pid)
    yield* server.ended
  }).pipe(
    Effect.scoped,
    // The last processes of a killed server leave within a moment.
    Effect.retry({
      schedule: Schedule.spaced("200 millis"),
      times: 100,
      while: (error) => error.message.includes("pre-existing shared memory")
    })
  )

const sayThatItTakesLong = Effect.logInfo("Waiting for PostgreSQL, which may be recovering after a crash.").pipe(
  Effect.delay("5 seconds"),
  Effect.andThen(Effect.never)
)

const serveAgain = (launch: Server.Launch) =>
  Effect.logError(`The embedded PostgreSQL stopped by itself and is started again. See ${launch.log}.`).pipe(
    Effect.andThen(serve(launch, () => Effect.void)),
    Effect.catch((error) => Effect.logError(error.message)),
    Effect.andThen(Effect.sleep("1 second")),
    Effect.forever
  )

const longestEnding = "-XXXXXX/.s.PGSQL.5432".length
const longestPath = 103

/** Short, as the path of a socket may have 107 bytes (103 on macOS), the same at each start, and closed to others. */
const socketDirectory = (account: Account.Account, data: string) => {
  const name = `killmaild-${createHash("sha256").update(data).digest("hex").slice(0, 12)}`
  const fits = Buffer.byteLength(join(tmpdir(), name)) + longestEnding <= longestPath
  const path = join(fits && account.other === undefined ? tmpdir() : "/tmp", name)
  return Effect.acquireRelease(
    attempt(`make a directory for PostgreSQL's socket`, async () => {
      const made = await makePrivate(path)
      if (account.other !== undefined) await chown(made, account.other.uid, account.other.gid)
      return made
    }),
    (made) => Effect.promise(() => rm(made, { recursive: true, force: true }))
  )
}

/** Where somebody else holds the name, under another that nobody can foresee. */
const makePrivate = async (path: string) => {
  try {
    await rm(path, { recursive: true, force: true })
    await mkdir(path, 0o700)
    return path
  } catch {
    return mkdtemp(`${path}-`)
  }
}
