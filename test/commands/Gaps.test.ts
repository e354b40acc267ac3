import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../../src/store/Database.ts"
import { mailOf } from "../support/Mails.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"
import { run } from "./CommandLine.ts"

describe("gaps", () => {
  it.live(
    "are listed, and repair looks at once for what is missing, with or without a daemon",
    () =>
      Effect.gen(function*() {
        const sandbox = yield* manualSandbox()
        const { url } = yield* migratedDatabase
        const env = { ...sandbox.environment, DATABASE_URL: url }
        assert.deepStrictEqual(yield* run(["gaps"], env), { status: 0, out: "There are no gaps.\n", err: "" })

        const killmail = { ...mailOf("gaps", 1), killmail_time: "2026-02-03T12:00:00Z" }
        sandbox.publishHistory("2026-02-03", { killmails: [killmail], hasBodies: false })
        const services = yield* Layer.build(Database.layer(Redacted.make(url)))
        yield* Effect.provide(
          Effect.flatMap(
            SqlClient.SqlClient,
            (sql) => sql`select open_gaps('r2z2', 'hole', 7, 9, '2026-02-03T12:00:00Z', '2026-02-03T13:00:00Z')`
          ),
          services
        )
        const repaired = yield* run(["gaps", "repair", "--json"], env)
        assert.deepStrictEqual(JSON.parse(repaired.out), { short: 0, days: 1, closed: 0, found: 1 })
        assert.strictEqual(repaired.status, 0)
        const listed = yield* run(["gaps"], env)
        assert.match(listed.out, /^feed +reason +day +numbers +opened +closed +found\n/)
        assert.match(listed.out, /^r2z2 +hole +2026-02-03 +7 to 8 +\S+ +1$/m)
        assert.deepStrictEqual(sandbox.violations(), [])

        sandbox.intercept(({ upstream }) => upstream === "r2z2" ? { status: 404, body: "" } : undefined)
        const unasked = yield* run(["gaps", "repair", "--json"], env)
        assert.deepInclude(JSON.parse(unasked.out), { short: null, days: 1 })
        assert.match(unasked.err, /killmaild: gaps repair: zKillboard did not tell how many killmails each day has/)
        assert.strictEqual(unasked.status, 1)
      }),
    60_000
  )
})
