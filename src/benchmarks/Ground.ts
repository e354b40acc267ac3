/** Where a benchmark takes place: a Postgres with our schema that it may fill, and a directory. */
import { Context, Effect, Layer, Option, Redacted, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import * as EmbeddedPostgres from "../postgres/EmbeddedPostgres.ts"
import * as Database from "../store/Database.ts"
import { stores } from "../Stores.ts"
import { cpuOfPostgres } from "./Cpu.ts"

/** The benchmark cannot be run, or broke off: one sentence that says why. */
export class BenchmarkFailed extends Schema.TaggedError<BenchmarkFailed>()("BenchmarkFailed", {
  message: Schema.String
}) {}

/** What was measured on. */
export interface Machine {
  readonly cores: number
  readonly platform: string
  readonly node: string
  /** As `PostgreSQL 18.4`. */
  readonly postgres: string
}

export const machineWith = (postgres: string): Machine => ({
  cores: availableParallelism(),
  platform: `${process.platform} ${process.arch}`,
  node: process.version,
  postgres
})

export class Ground extends Context.Service<Ground, {
  readonly databaseUrl: Redacted.Redacted
  /** Gone when the benchmark ends. */
  readonly directory: string
  readonly machine: Machine
  /** Brings to disk what was written so far, or it would be written in the time of what comes next. */
  readonly settle: Effect.Effect<void>
  /** Milliseconds of CPU that the server has spent; undefined when it does not run on this machine. */
  readonly postgresCpu: Effect.Effect<number | undefined>
}>()("killmaild/benchmarks/Ground") {
  /** On an embedded Postgres of its own or, where one is named, on a database without killmails. */
  static readonly layer = (databaseUrl: Option.Option<Redacted.Redacted>) =>
    Layer.unwrap(Effect.gen(function*() {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-benchmark-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      const url = Option.isSome(databaseUrl)
        ? databaseUrl.value
        : Redacted.make((yield* EmbeddedPostgres.start({ directory: join(directory, "postgres") })).url)
      return Layer.effect(Ground, make(url, directory)).pipe(
        Layer.provideMerge(stores),
        Layer.provideMerge(Database.layer(url, "killmaild benchmark"))
      )
    }))
}

const make = Effect.fnUntraced(function*(databaseUrl: Redacted.Redacted, directory: string) {
  const sql = yield* SqlClient.SqlClient
  yield* Database.migrate(databaseUrl)
  const [found] = yield* sql<{ used: boolean; name: string }>`
    select exists (select from killmail_ledger) as used, 'PostgreSQL ' || current_setting('server_version') as name`
  if (found!.used) {
    return yield* new BenchmarkFailed({
      message: "The database has killmails, wants an empty one that may be filled: create it for the benchmark alone."
    })
  }
  return Ground.of({
    databaseUrl,
    directory,
    machine: machineWith(found!.name),
    // Needs a right that the owner of a named database may not have.
    settle: Effect.ignore(sql`checkpoint`),
    postgresCpu: Effect.orDie(
      Effect.map(sql<{ pid: number }>`select pg_backend_pid() as pid`, ([row]) => cpuOfPostgres(row!.pid))
    )
  })
})
