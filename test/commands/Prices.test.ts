import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { manualSandbox, migratedDatabase, settingsFor } from "../support/TestDaemon.ts"
import { run, start, temporaryDirectory } from "./CommandLine.ts"

const dayBefore = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)

/** A sandbox, and settings for a command of its own database. */
const makeWorld = Effect.gen(function*() {
  const sandbox = yield* manualSandbox()
  const { url } = yield* migratedDatabase
  const directory = yield* temporaryDirectory
  return { sandbox, directory, env: settingsFor(sandbox, url, directory) }
})

describe("killmaild prices", () => {
  it.live("imports days from EVE Ref, and says what is left to do when it is told again", () =>
    Effect.gen(function*() {
      const { env, sandbox } = yield* makeWorld
      sandbox.publishPrices("2026-01-01", { 34: 5, 587: 400_000 })
      sandbox.publishPrices("2026-01-02", { 34: 5 })
      const first = yield* run(["prices", "import", "--start-date", "2026-01-01"], env)
      assert.strictEqual(first.status, 0)
      assert.strictEqual(first.out, "2 days were read, with 3 new or changed prices; 0 were here already.\n")
      assert.match(first.err, /^prices: 50 %, 1 of 2 files\n/)
      const again = yield* run(["prices", "import", "--start-date", "2026-01-01", "--json"], env)
      assert.deepStrictEqual(JSON.parse(again.out), { imported: 0, unchanged: 2, prices: 0, unreadable: [] })
      assert.strictEqual(again.err, "")
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("imports files, and fails with a sentence for those that it could not read", () =>
    Effect.gen(function*() {
      const { directory, env } = yield* makeWorld
      writeFileSync(join(directory, "a.csv"), "date,region_id,type_id,average\n2026-01-01,10000002,34,5\n")
      writeFileSync(join(directory, "b.csv"), "<html>")
      // Nobody is asked, so nobody needs to know who asks.
      const { DATABASE_URL } = env
      const { err, out, status } = yield* run(["prices", "import", "--path", directory, "--json"], { DATABASE_URL })
      assert.strictEqual(status, 1)
      assert.deepInclude(JSON.parse(out), { imported: 1, prices: 1 })
      assert.strictEqual(
        err,
        "killmaild: prices import: b.csv: its first line names no column date, wants date, region_id, type_id, average.\n"
      )
    }))

  it.live("refreshes the last days, and asks ESI for the rest", () =>
    Effect.gen(function*() {
      const { env, sandbox } = yield* makeWorld
      sandbox.publishPrices(dayBefore(2), { 34: 5 })
      sandbox.publishPriceHistory(587, { [dayBefore(2)]: 400_000 })
      const { out, status } = yield* run(["prices", "refresh", "--json"], env)
      assert.strictEqual(status, 0)
      assert.deepStrictEqual(JSON.parse(out), {
        imported: 1,
        unchanged: 0,
        prices: 1,
        unreadable: [],
        ccp_prices: 1,
        types: 0,
        prices_from_esi: 0
      })
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("says why when EVE Ref cannot be had, and how to go on when it is stopped", () =>
    Effect.gen(function*() {
      const { env, sandbox } = yield* makeWorld
      sandbox.intercept(({ path }) => path.endsWith("totals.json") ? { status: 503 } : undefined)
      const { err, status } = yield* run(["prices", "import"], env)
      assert.strictEqual(status, 1)
      assert.match(err, /^killmaild: prices import: EVE Ref did not serve \S*totals\.json: it answered 503\.\n$/)
      sandbox.intercept(() => ({ status: 429, headers: { "retry-after": "60" } }))
      const stopped = yield* start(["prices", "import"], env)
      yield* stopped.says(/Going on in 60 s\./)
      stopped.signal("SIGINT")
      const ended = yield* stopped.ended
      assert.strictEqual(ended.status, 130)
      assert.match(ended.err, /Stopped; the days that were read are kept\. The same command goes on\.\n$/)
    }))
})
