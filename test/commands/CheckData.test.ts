import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { migratedDatabase } from "../support/TestDaemon.ts"
import { run } from "./CommandLine.ts"

describe("check-data", () => {
  it.live("tells what it found, how to repair it, and ends with status 1 on any fault", () =>
    Effect.gen(function*() {
      const { url } = yield* migratedDatabase
      const env = { DATABASE_URL: url }
      const shown = yield* run(["check-data"], env)
      assert.strictEqual(shown.status, 1)
      assert.strictEqual(shown.err, "killmaild: check-data: found 2 faults.\n")
      assert.match(shown.out, /^Looked at 0 killmails, of about 0\.\n/)
      assert.match(shown.out, /^ledger +ok +every killmail of the ledger has its body$/m)
      assert.match(shown.out, /^static data +FAULT +CCP's static data were not imported$/m)
      assert.match(shown.out, /^static data: `killmaild static-data import`: .*\.$/m)
      const asJson = yield* run(["check-data", "--day", "2026-01-31", "--json"], env)
      const report = JSON.parse(asJson.out)
      assert.deepInclude(report, { day: "2026-01-31", killmails: 0, causes: [] })
      assert.deepInclude(report.checks, {
        name: "price age",
        ok: false,
        finding: "no prices were imported",
        examples: [],
        hint: "`killmaild prices refresh`: its errors say why the daemon, which does so daily, cannot"
      })
      assert.deepStrictEqual(yield* run(["check-data", "--day", "2026-02-30"], env), {
        status: 1,
        out: "",
        err: "killmaild: check-data: --day got \"2026-02-30\", wants a day such as 2026-01-31.\n"
      })
    }), 60_000)
})
