import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../../src/store/Database.ts"
import { manualSandbox, migratedDatabase, oneWaitsForAnother, settingsFor } from "../support/TestDaemon.ts"
import { start, temporaryDirectory } from "./CommandLine.ts"

/** Holds up whoever starts on this database meanwhile, and then ends its connection. */
const losingConnection = <A, E, R>(starting: Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const holder = yield* sql.reserve
    const say = (text: string) => holder.executeUnprepared(text, [], undefined)
    yield* say("begin")
    yield* say("lock table epoch")
    const started = yield* starting
    yield* oneWaitsForAnother
    yield* sql`
      select pg_terminate_backend(pid)
      from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    yield* say("rollback")
    return started
  }))

describe("a daemon that starts", () => {
  it.live("begins again when Postgres goes away meanwhile", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url } = yield* migratedDatabase
      const directory = yield* temporaryDirectory
      const test = yield* Effect.scope
      const settings = settingsFor(sandbox, url, directory, { KILLMAILD_FEEDS: "", KILLMAILD_LOG_LEVEL: "info" })
      const daemon = yield* losingConnection(start(["serve"], settings).pipe(Scope.provide(test)))
        .pipe(Effect.provide(Database.layer(Redacted.make(url))))
      yield* daemon.says(/Postgres went away during the start, which begins again/)
      yield* daemon.says(/killmaild is up/)
      daemon.signal("SIGTERM")
      assert.strictEqual((yield* daemon.ended).status, 0)
    }), 120_000)
})
