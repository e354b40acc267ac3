import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { readdirSync } from "node:fs"
import * as Database from "../../src/store/Database.ts"
import { freePort } from "../support/FreePort.ts"
import { manualSandbox, migratedDatabase, settingsFor } from "../support/TestDaemon.ts"
import { TestDatabase } from "../support/TestDatabase.ts"
import { run, temporaryDirectory } from "./CommandLine.ts"

interface Report {
  readonly ok: boolean
  readonly findings: ReadonlyArray<{ readonly name: string; readonly ok: boolean; readonly finding: string }>
}

/** What doctor says in a world where all is well but for this. */
const examine = Effect.fnUntraced(function*(databaseUrl: string, overrides: Readonly<Record<string, string>> = {}) {
  const sandbox = yield* manualSandbox()
  const env = {
    ...settingsFor(sandbox, databaseUrl, yield* temporaryDirectory),
    KILLMAILD_PORT: String(yield* freePort),
    ...overrides
  }
  const ended = yield* run(["doctor", "--json"], env)
  assert.deepStrictEqual(sandbox.violations(), [])
  const report = JSON.parse(ended.out) as Report
  return {
    ...ended,
    report,
    faults: report.findings.filter(({ ok }) => !ok).map(({ finding, name }) => [name, finding])
  }
})

const tamper = (url: string, statement: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(statement)).pipe(
    Effect.provide(Database.layer(Redacted.make(url)))
  )

/** Upstreams on a port of this machine at which nobody listens. */
const nowhere = {
  KILLMAILD_FEEDS: "",
  ...Object.fromEntries(
    ["ESI", "EVEREF", "SDE", "ZKILLBOARD"].map((name) => [`KILLMAILD_${name}_URL`, "http://127.0.0.1:9"])
  )
}

describe("doctor", () => {
  it.live("finds nothing wrong where all is well, and ends with status 0", () =>
    Effect.gen(function*() {
      const { url } = yield* migratedDatabase
      const { err, faults, report, status } = yield* examine(url)
      assert.deepStrictEqual({ err, faults, ok: report.ok, status }, { err: "", faults: [], ok: true, status: 0 })
      const names = report.findings.map(({ name }) => name)
      for (
        const name of ["settings", "contact", "disk", "ESI", "r2z2", "daemon", "postgres", "clock", "schema", "queue"]
      ) {
        assert.include(names, name)
      }
    }), 60_000)

  it.live(
    "says what is wrong with tables, queue and schema, what to do, and ends with status 1",
    () =>
      Effect.gen(function*() {
        const { url } = yield* migratedDatabase
        yield* tamper(url, "drop table items_" + new Date().toISOString().slice(0, 7).replace("-", "_"))
        yield* tamper(url, "select id from graphile_worker.add_job('toy', '{}', run_at => now() - interval '2 hours')")
        const { err, faults, status } = yield* examine(url)
        assert.deepStrictEqual({ err, status }, { err: "killmaild: doctor: found 2 faults.\n", status: 1 })
        assert.deepStrictEqual(faults, [
          ["partitions", "the next 0 days have their tables"],
          ["queue", "its oldest job has waited 120 minutes"]
        ])
        const shown = yield* run(["doctor"], {
          DATABASE_URL: url,
          KILLMAILD_DATA_DIR: yield* temporaryDirectory,
          ...nowhere
        })
        assert.match(shown.out, /^partitions +FAULT +the next 0 days have their tables$/m)
        assert.match(
          shown.out,
          /\n\nESI, EVE Ref, static data, zKillboard: check the network.*\.\npartitions: start the daemon: /
        )
        yield* tamper(url, "insert into schema_migrations (migration_id, name) values (9000, 'of_tomorrow')")
        const newer = yield* examine(url)
        assert.deepStrictEqual(newer.faults.map(([name]) => name), ["schema"])
      }),
    60_000
  )

  it.live("says which tokens of pilots nobody can decrypt, and makes no key", () =>
    Effect.gen(function*() {
      const { url } = yield* migratedDatabase
      yield* tamper(url, "insert into users default values")
      yield* tamper(url, "insert into user_characters select 90000001, id, '', '' from users")
      yield* tamper(
        url,
        "insert into user_tokens values (90000001, '{}', 'lost', 'sealed', 'sealed', now(), now(), null, null)"
      )
      const directory = yield* temporaryDirectory
      const { faults } = yield* examine(url, { KILLMAILD_DATA_DIR: directory })
      assert.deepStrictEqual(faults, [
        ["tokens", "1 of 1 cannot be decrypted: there is no key lost"]
      ])
      assert.notInclude(readdirSync(directory), "encryption-keys")
    }), 60_000)

  it.live("says who cannot be reached, and who is not told who asks", () =>
    Effect.gen(function*() {
      const port = yield* freePort
      const { faults } = yield* examine(`postgres://nobody@127.0.0.1:${port}/nowhere`, {
        KILLMAILD_ESI_URL: `http://127.0.0.1:${port}`
      })
      assert.deepStrictEqual(faults.map(([name]) => name), ["ESI", "postgres"])
      assert.match(String(faults[0]![1]), /^127\.0\.0\.1:\d+ cannot be reached: .*ECONNREFUSED/)
      const { url } = yield* migratedDatabase
      const anonymous = yield* examine(url, {
        KILLMAILD_CONTACT: "",
        KILLMAILD_WANDERER_URL: "https://wanderer.invalid",
        KILLMAILD_WANDERER_SLUG: "map",
        KILLMAILD_WANDERER_KEY: "key"
      })
      assert.deepStrictEqual(anonymous.faults.map(([name]) => name), ["contact", "Wanderer"])
    }), 60_000)

  it.live("leaves a database without a schema as it is", () =>
    Effect.gen(function*() {
      const { url } = yield* TestDatabase.make
      const { report } = yield* examine(url)
      assert.include(report.findings.map(({ finding }) => finding), "there is none yet; `serve` makes it")
      const tables = yield* Effect.flatMap(
        SqlClient.SqlClient,
        (sql) => sql`select from pg_tables where schemaname = 'public'`
      ).pipe(Effect.provide(Database.layer(Redacted.make(url))))
      assert.deepStrictEqual(tables, [])
    }), 60_000)
})
