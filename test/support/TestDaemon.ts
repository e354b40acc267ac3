/** A whole daemon in the test's process, on a fresh database, listening to a sandbox that judges it. */
import { Effect, Layer, Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Daemon from "../../src/Daemon.ts"
import * as Sandbox from "../../src/sandbox/Sandbox.ts"
import { Settings } from "../../src/Settings.ts"
import * as Database from "../../src/store/Database.ts"
import * as Telemetry from "../../src/telemetry/Telemetry.ts"
import { TestDatabase } from "./TestDatabase.ts"

/** A database with the schema, copied from a template. */
export const migratedDatabase = TestDatabase.template("migrated", (url) => {
  const secret = Redacted.make(url)
  return Database.migrate(secret).pipe(Effect.provide(Database.layer(secret)), Effect.orDie)
})

/** Everything in New Eden goes this much faster than in the real one; waits of 6 s become 60 ms. */
export const speed = 100

/** A sandbox in which only the test publishes. */
export const manualSandbox = (options: Partial<Sandbox.SandboxOptions> = {}) =>
  Sandbox.start({ port: 0, speed, seed: "test", faults: 0, world: "manual", ...options })

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-daemon-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** The settings that a daemon needs to listen to this sandbox. */
export const settingsFor = (
  sandbox: Sandbox.Sandbox,
  databaseUrl: string,
  dataDir: string,
  overrides: Readonly<Record<string, string>> = {}
) => ({
  DATABASE_URL: databaseUrl,
  KILLMAILD_DATA_DIR: dataDir,
  KILLMAILD_PORT: "0",
  KILLMAILD_CONTACT: "tests@localhost",
  KILLMAILD_ADMIN_TOKEN: "operator",
  KILLMAILD_FEEDS: "r2z2",
  KILLMAILD_R2Z2_RATE: String(4 * speed),
  KILLMAILD_R2Z2_POLL: `${6000 / speed + 5}ms`,
  KILLMAILD_LOG_LEVEL: "error",
  ...sandbox.environment,
  ...overrides
})

/** Starts a daemon with all roles; its services, and those of its stores, are in the answer. */
export const startDaemon = Effect.fnUntraced(function*(
  sandbox: Sandbox.Sandbox,
  overrides: Readonly<Record<string, string>> = {}
) {
  const { url } = yield* migratedDatabase
  return yield* startDaemonOn(url, sandbox, overrides)
})

/** As `startDaemon`, with its jobs in a process of their own. */
export const startDaemonWithJobsApart = Effect.fnUntraced(function*(sandbox: Sandbox.Sandbox) {
  const { url } = yield* migratedDatabase
  const dataDir = yield* temporaryDirectory
  return yield* Layer.build(
    Daemon.whole.pipe(
      Layer.provideMerge(Telemetry.layer),
      Layer.provideMerge(Settings.layerFrom({ ...process.env, ...settingsFor(sandbox, url, dataDir) }))
    )
  )
})

/** As `startDaemon`, on a database that may have been used before. */
export const startDaemonOn = Effect.fnUntraced(function*(
  url: string,
  sandbox: Sandbox.Sandbox,
  overrides: Readonly<Record<string, string>> = {}
) {
  const dataDir = yield* temporaryDirectory
  const context = yield* Layer.build(
    Daemon.wholeInOneProcess.pipe(
      Layer.provideMerge(Telemetry.layer),
      Layer.provideMerge(Settings.layerFrom(settingsFor(sandbox, url, dataDir, overrides)))
    )
  )
  return { context, databaseUrl: url, dataDir }
})

/** Asks the database until the answer is there; fails with the last answer after the given milliseconds. */
export const eventually = <A>(
  question: (sql: SqlClient.SqlClient) => Effect.Effect<A, unknown>,
  isThere: (answer: A) => boolean,
  patience = 60_000
): Effect.Effect<A, Error, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const deadline = performance.now() + patience
    for (;;) {
      const answer = yield* Effect.orDie(question(sql))
      if (isThere(answer)) return answer
      if (performance.now() > deadline) {
        return yield* Effect.fail(new Error(`Not within ${patience} ms; at last there was ${JSON.stringify(answer)}`))
      }
      yield* Effect.sleep("20 millis")
    }
  })

/** Ends when a session of this database waits for what another one has locked. */
export const oneWaitsForAnother = eventually(
  (sql) => sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  (rows) => rows.length > 0
)

export type Scoped<A, E = never> = Effect.Effect<A, E, Scope.Scope>
