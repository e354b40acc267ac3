import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { start, temporaryDirectory } from "./CommandLine.ts"

describe("the demo", () => {
  it.live("names who is on each killmail, and goes on where it was left", () =>
    Effect.gen(function*() {
      const env = { KILLMAILD_DATA_DIR: yield* temporaryDirectory, KILLMAILD_PORT: "0" }
      const demo = Effect.scoped(Effect.gen(function*() {
        const process = yield* start(["demo"], env)
        const [, sequence] = yield* process.says(/^#(\d+) .* of [A-Z].* in .* by \D/m)
        process.signal("SIGINT")
        const { status } = yield* process.ended
        assert.strictEqual(status, 0, process.said.err)
        return Number(sequence)
      }))
      assert.strictEqual(yield* demo, 1)
      assert.isAbove(yield* demo, 1)
    }), 120_000)
})
