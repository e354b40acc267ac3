import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { readFilter, readFilterQuery } from "../../src/domain/Filter.ts"

const refusal = (json: unknown): string => {
  const read = readFilter(json)
  assert.isTrue(Result.isFailure(read), JSON.stringify(json))
  return Result.getOrThrow(Result.flip(read))
}

const refused = (query: Record<string, string | ReadonlyArray<string>>): string =>
  Result.getOrThrow(Result.flip(readFilterQuery(query)))

describe("a filter", () => {
  it("is read from JSON, a lone value for a list of it", () => {
    const read = readFilter({ character: 2122585718, region: [10000002, 10000043], label: "loc:nullsec", npc: false })
    assert.deepStrictEqual(Result.getOrThrow(read), {
      character: [2122585718],
      region: [10000002, 10000043],
      label: ["loc:nullsec"],
      npc: false
    })
    assert.deepStrictEqual(Result.getOrThrow(readFilter({})), {})
  })

  it("is read from a query, with lists as 1,2 or as the same name again", () => {
    const read = readFilterQuery({
      alliance: "99000001,99000002",
      ship: ["587", "588,589"],
      security: "lowsec,nullsec",
      min_value: "1e9",
      solo: "true",
      since: "2026-11-20",
      system: "30000142",
      near: "1.5,-2,3e12",
      within: "10000"
    })
    assert.deepStrictEqual(Result.getOrThrow(read), {
      alliance: [99000001, 99000002],
      ship: [587, 588, 589],
      security: ["lowsec", "nullsec"],
      min_value: 1e9,
      solo: true,
      since: "2026-11-20",
      system: [30000142],
      near: [1.5, -2, 3e12],
      within: 10000
    })
  })

  it("refuses what it does not know by name, and says what there is", () => {
    assert.match(refusal({ colour: 1 }), /^There is no filter "colour"; there are character, corporation, /)
    assert.match(refusal({ __proto__: null, constructor: [1] }), /^There is no filter "constructor"/)
    for (const json of [null, 1, "x", [], [{}]]) assert.match(refusal(json), /^filter: got .*, wants an object/)
  })

  it("refuses impossible values by the name of their field", () => {
    const wrong: ReadonlyArray<readonly [field: string, ...values: ReadonlyArray<unknown>]> = [
      ["character", "abc", 0, -1, 1.5, [], null, {}, [1, "2"], Array.from({ length: 1001 }, (_, k) => k + 1)],
      ["role", "loser", ["victim"], null],
      ["security", "high", [], 1],
      ["label", "", "a,b", "a\u0000", "x".repeat(51), 7],
      ["min_value", -1, "1e9", Number.NaN, Number.POSITIVE_INFINITY, 1e19],
      ["max_attackers", 1.5, -1, "2"],
      ["npc", "true", 1, null],
      ["since", "yesterday", "2026-02-30", "2026-13-01", "0000-01-01", "2026-01-01T00:00:00", 20260101],
      ["near", [1, 2], [1, 2, 3, 4], "1,2,3", [1, 2, 1e300]],
      ["within", -1, "far"]
    ]
    for (const [field, ...values] of wrong) {
      for (const value of values) {
        assert.match(refusal({ [field]: value }), new RegExp(`^${field}: got .*, wants `), JSON.stringify(value))
      }
    }
  })

  it("refuses what contradicts itself", () => {
    assert.match(refusal({ min_value: 2, max_value: 1 }), /^min_value: got 2, wants at most max_value, which is 1\.$/)
    assert.match(refusal({ min_attackers: 2, max_attackers: 1 }), /^min_attackers: /)
    assert.match(refusal({ since: "2026-01-02", until: "2026-01-02" }), /^since: /)
    assert.match(refusal({ within: 5 }), /^within: /)
    assert.match(refusal({ near: [1, 2, 3], system: 1 }), /^near: wants within/)
    assert.match(refusal({ near: [1, 2, 3], within: 5 }), /^near: wants exactly one system/)
    assert.match(refusal({ near: [1, 2, 3], within: 5, system: [1, 2] }), /^near: wants exactly one system/)
  })

  it("refuses what a query cannot mean", () => {
    assert.match(refused({ character: "1,,2" }), /^character: got \[1,"",2\], wants/)
    assert.match(refused({ character: "0x10" }), /^character: /)
    assert.match(refused({ npc: "yes" }), /^npc: got "yes", wants true or false/)
    assert.match(refused({ npc: ["true", "false"] }), /^npc: got \["true","false"\]/)
    assert.match(refused({ min_value: "" }), /^min_value: got "", wants ISK/)
    assert.match(refused({ limits: "1" }), /^There is no filter "limits"/)
  })
})
