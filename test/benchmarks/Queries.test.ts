import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { QueriesReport } from "../../src/benchmarks/Queries.ts"
import { run } from "../commands/CommandLine.ts"

describe("benchmark queries", () => {
  it.live(
    "asks two histories the same, the second four times as long",
    () =>
      Effect.gen(function*() {
        const small = ["--killmails", "300", "--months", "1", "--requests", "2"]
        const ended = yield* run(["benchmark", "queries", ...small, "--json"])
        assert.strictEqual(ended.status, 0, ended.err)
        const report = JSON.parse(ended.out) as QueriesReport
        assert.deepStrictEqual(report.plan, { killmails: 300, months: 1, requests: 2 })
        assert.isTrue(report.generatedSeconds.every((seconds) => seconds !== null))
        assert.isAbove(report.answers.length, 10)
        for (const { large, question, ratio, small } of report.answers) {
          assert.isAbove(small.p50, 0, question)
          assert.strictEqual(ratio, large.p99 / small.p99)
        }
      }),
    120_000
  )
})
