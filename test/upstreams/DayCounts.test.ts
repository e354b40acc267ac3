import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { countsByDay, Totals } from "../../src/upstreams/DayCounts.ts"

describe("counts of days", () => {
  it("are by day however it is written, without what is no day and what is to come", () => {
    const counts = countsByDay([
      ["20251203", 7],
      ["2025-12-04", 8],
      ["20251301", 1],
      ["2025-02-30", 1],
      ["latest", 1],
      ["20990101", 1]
    ])
    assert.deepStrictEqual([...counts], [["2025-12-03", 7], ["2025-12-04", 8]])
  })

  it("are whole numbers that a column holds", () => {
    const decode = Schema.decodeUnknownOption(Totals)
    assert.isTrue(Option.isSome(decode(`{"20251203":21034,"20251204":0}`)))
    for (const count of ["-1", "1.5", "1e300", "2147483648", "null", `"7"`]) {
      assert.isTrue(Option.isNone(decode(`{"20251203":${count}}`)), count)
    }
  })
})
