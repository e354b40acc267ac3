import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../../src/store/Database.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"
import { run } from "./CommandLine.ts"

interface Seeded {
  readonly users: ReadonlyArray<{ readonly characters: ReadonlyArray<string>; readonly access_token: string }>
  readonly jobs: number
}

describe("seed", () => {
  it.live(
    "fills a database with users who have of everything something, and refuses one that has users",
    () =>
      Effect.gen(function*() {
        const { url } = yield* migratedDatabase
        const { err, out, status } = yield* run(["seed", "--json"], { DATABASE_URL: url })
        assert.strictEqual(status, 0, err)
        const { jobs, users } = JSON.parse(out.trim().split("\n").at(-1)!) as Seeded
        assert.deepStrictEqual(users.map(({ characters }) => characters.length), [2, 1])
        assert.strictEqual(jobs, 5)
        const counts = yield* SqlClient.SqlClient.use((sql) =>
          sql`
            select
              (select count(*) from sessions)::int as sessions,
              (select count(*) from user_settings)::int as settings,
              (select count(*) from character_data)::int as data,
              (select count(*) from notifications where status = 'read')::int as read,
              (select count(*) from notifications where status = 'pending')::int as pending,
              (select count(*) from killmail_alerts)::int as alerts,
              (select count(*) from cached_data)::int as cached`
        ).pipe(Effect.provide(Database.layer(Redacted.make(url))))
        assert.deepStrictEqual(counts, [{
          sessions: 2,
          settings: 2,
          data: 5,
          read: 2,
          pending: 3,
          alerts: 1,
          cached: 1
        }])
        const again = yield* run(["seed"], { DATABASE_URL: url })
        assert.strictEqual(again.status, 1)
        assert.match(again.err, /seed: somebody signed in here already/)
      }),
    60_000
  )
})
