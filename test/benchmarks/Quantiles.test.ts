import { assert, describe, it } from "@effect/vitest"
import { median, quantilesOf } from "../../src/benchmarks/Quantiles.ts"

describe("quantiles", () => {
  it("are values that were measured, by nearest rank, in whatever order", () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index)
    assert.deepStrictEqual(quantilesOf(values), { p50: 50, p95: 95, p99: 99, max: 100 })
    assert.strictEqual(median([0.3, 0.1, 0.2]), 0.2)
  })

  it("of one value are that value, and of none 0", () => {
    assert.deepStrictEqual(quantilesOf([7]), { p50: 7, p95: 7, p99: 7, max: 7 })
    assert.deepStrictEqual(quantilesOf([]), { p50: 0, p95: 0, p99: 0, max: 0 })
  })
})
