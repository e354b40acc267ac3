import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mailOf } from "../support/Mails.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { eventually, manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const dayOf = (millis: number) => new Date(millis).toISOString().slice(0, 10)

const textOf = (url: string) =>
  Effect.promise(async () => {
    const response = await fetch(url)
    assert.strictEqual(response.status, 200)
    return await response.text()
  })

const get = (url: string) =>
  Effect.map(
    textOf(url),
    (text) => JSON.parse(text) as { readonly data: ReadonlyArray<Readonly<Record<string, unknown>>> }
  )

describe("what a feed did not tell", () => {
  it.live("is told by /api/v1/gaps and /api/v1/days, and by /metrics", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url: databaseUrl } = yield* migratedDatabase
      const { context, url } = yield* stoppableDaemon(databaseUrl, sandbox, { KILLMAILD_SCHEDULE_SPEED: "7200" })
      const first = sandbox.publishR2z2({ esi: mailOf("gaps", 0) })
      yield* eventually((sql) => sql`select from killmail_ledger`, (rows) => rows.length === 1)
        .pipe(Effect.provide(context))
      sandbox.publishR2z2("hole")
      for (let k = 1; k < 60; k++) sandbox.publishR2z2({ esi: mailOf("gaps", k) })
      const missing = mailOf("gaps", 100)
      const today = dayOf(Date.now())
      const lost = { ...missing, killmail_time: `${today}T00:00:01Z` }
      sandbox.knowToEsi(lost)
      yield* eventually((sql) => sql`select from gaps`, (rows) => rows.length > 0).pipe(Effect.provide(context))
      assert.match(yield* textOf(`${url}/metrics`), /killmaild_gaps_open [12]\n/)

      // Shortly after midnight the day before is in doubt, too.
      sandbox.publishHistory(dayOf(Date.now() - 86_400_000), { killmails: [], hasBodies: false })
      sandbox.publishHistory(today, { killmails: [lost], hasBodies: false })
      yield* eventually((sql) => sql`select from gaps where closed_at is null`, (rows) => rows.length === 0)
        .pipe(Effect.provide(context))
      const { data: gaps } = yield* get(`${url}/api/v1/gaps`)
      assert.deepInclude(gaps.find(({ day }) => day === today), {
        feed: "r2z2",
        reason: "hole",
        from_cursor: first + 1,
        to_cursor: first + 2,
        day: today,
        found: 1
      })
      const { data: days } = yield* get(`${url}/api/v1/days`)
      assert.deepInclude(days[0], { day: today, upstream_total: 1, kept: true })
      const metrics = yield* textOf(`${url}/metrics`)
      assert.match(metrics, /killmaild_gaps_open 0\n/)
      assert.match(metrics, /killmaild_gap_oldest_seconds 0\n/)
      assert.match(metrics, /killmaild_completeness_ratio [01]\n/)
      const left = Number(/killmaild_partition_days_left ([\d.]+)/.exec(metrics)![1])
      assert.isAbove(left, 150)
      assert.deepStrictEqual(sandbox.violations(), [])
    }))
})
