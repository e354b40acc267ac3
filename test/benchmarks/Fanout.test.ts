import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { FanoutReport } from "../../src/benchmarks/Fanout.ts"
import { run } from "../commands/CommandLine.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"

describe("benchmark fanout", () => {
  it.live(
    "delivers everything to all, and to each what its filter fits, beside a bare loop",
    () =>
      Effect.gen(function*() {
        const { url } = yield* migratedDatabase
        const small = ["--few", "60", "--many", "120", "--deliveries", "600", "--pairs", "1", "--seconds", "1"]
        const ended = yield* run(["benchmark", "fanout", ...small, "--json", "--database", url])
        assert.strictEqual(ended.status, 0, ended.err)
        const { crowds } = JSON.parse(ended.out) as FanoutReport
        assert.deepStrictEqual(crowds.map(({ clients }) => clients), [60, 120])
        for (const { latency, settings } of crowds) {
          assert.isAbove(latency.p50, 0)
          assert.deepStrictEqual(settings.map(({ wanted }) => wanted), ["everything", "filters"])
          for (const { pairs, ratio } of settings) {
            assert.strictEqual(ratio, pairs[0]!.daemon.perSecond / pairs[0]!.bare.perSecond)
          }
        }
      }),
    120_000
  )
})
