import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { ImportDay } from "../../src/history/ImportDay.ts"
import { mostThreads } from "../../src/history/Importer.ts"
import { JobQueue } from "../../src/jobs/JobQueue.ts"
import { killmailsOfDay, memberOf } from "../../src/sandbox/Archives.ts"
import { KillmailReader } from "../../src/store/KillmailReader.ts"
import { mailOf } from "../support/Mails.ts"
import { eventually, manualSandbox, startDaemon } from "../support/TestDaemon.ts"

describe("a daemon with imports in its queue", () => {
  it.live("does them by itself while it hears live killmails, which it alone announces", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const days = ["2012-03-30", "2012-03-31", "2012-04-01"]
      days.forEach((day, index) =>
        sandbox.publishArchive(day, killmailsOfDay("imported", day, index * 100, 100).map(memberOf))
      )
      const { context } = yield* startDaemon(sandbox)
      yield* Context.get(context, JobQueue).addAll(
        ImportDay,
        days.map((day) => ({ source: "everef" as const, day })),
        { atOnce: mostThreads }
      )
      for (let k = 0; k < 20; k++) sandbox.publishR2z2({ esi: mailOf("live", k) })
      yield* Effect.gen(function*() {
        yield* eventually(
          (sql) => sql`select from killmail_ledger`,
          (rows) => rows.length === 320,
          60_000
        )
        yield* eventually(
          (sql) => sql`select from imports where digest is not null`,
          (rows) => rows.length === 3
        )
        yield* eventually((sql) => sql`select from unindexed_months()`, (rows) => rows.length === 0)
        assert.strictEqual(yield* (yield* KillmailReader).lastSequence, 20)
        yield* eventually(
          (sql) => sql`select from characters`,
          (rows) => rows.length > 100
        )
      }).pipe(Effect.provide(context))
      assert.deepStrictEqual(sandbox.violations(), [])
    }), 120_000)
})
