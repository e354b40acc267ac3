import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { IngestReport, Throughput } from "../../src/benchmarks/Ingest.ts"
import type { Quantiles } from "../../src/benchmarks/Quantiles.ts"
import { run } from "../commands/CommandLine.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"

const isCost = (micros: number | null) => process.platform === "linux" ? micros! > 0 : micros === null || micros > 0

const checkThroughput = ({ nodeMicros, perSecond, postgresMicros }: Throughput) => {
  assert.isAbove(perSecond, 0)
  assert.isTrue(isCost(nodeMicros), `CPU of Node: ${nodeMicros}`)
  // Unknown where the server of the tests is another machine's.
  if (postgresMicros !== null) assert.isAtLeast(postgresMicros, 0)
}

const checkQuantiles = ({ max, p50, p95, p99 }: Quantiles) => {
  const inOrder = [0, p50, p95, p99, max]
  assert.isTrue(inOrder.every(Number.isFinite), JSON.stringify(inOrder))
  assert.deepStrictEqual(inOrder, inOrder.toSorted((a, b) => a - b))
}

describe("benchmark ingest", () => {
  it.live(
    "tells how fast and how dear the live path is beside COPY, and how late a subscriber hears",
    () =>
      Effect.gen(function*() {
        const { url } = yield* migratedDatabase
        const small = ["--killmails", "200", "--pairs", "1", "--seconds", "2"]
        const ended = yield* run(["benchmark", "ingest", ...small, "--json", "--database", url])
        assert.strictEqual(ended.status, 0, ended.err)
        const report = JSON.parse(ended.out) as IngestReport
        assert.deepStrictEqual(report.plan, { killmails: 200, pairs: 1, seconds: 2 })
        assert.match(report.machine.postgres, /^PostgreSQL \d+/)
        assert.strictEqual(report.pairs.length, 1)
        for (const { copy, live, ratio } of report.pairs) {
          checkThroughput(copy)
          checkThroughput(live)
          assert.strictEqual(ratio, live.perSecond / copy.perSecond)
          assert.strictEqual(report.ratio, ratio)
        }
        assert.deepStrictEqual(
          report.latency.map(({ killmails, setting }) => ({ killmails, setting })),
          [{ killmails: 20, setting: "idle" }, { killmails: 20, setting: "backfill" }]
        )
        for (const { delivery, poll } of report.latency) {
          checkQuantiles(delivery)
          checkQuantiles(poll)
        }

        const again = yield* run(["benchmark", "ingest", ...small, "--database", url])
        assert.strictEqual(again.status, 1)
        assert.strictEqual(
          again.err,
          "killmaild: The database has killmails, wants an empty one that may be filled: create it for the benchmark alone.\n"
        )
      }),
    240_000
  )

  it.live("refuses to measure nothing", () =>
    Effect.gen(function*() {
      const ended = yield* run(["benchmark", "ingest", "--pairs", "0"])
      assert.strictEqual(ended.status, 1)
      assert.strictEqual(ended.err, "killmaild: benchmark ingest: --pairs got 0, wants a whole number above 0.\n")
    }))
})
