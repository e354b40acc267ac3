import { assert, describe, it } from "@effect/vitest"
import { paceOf } from "../../src/own-killmails/Pace.ts"

const hours = (count: number) => count * 3_600_000

describe("a list of killmails", () => {
  it("is read as often as ESI renews it while something happens, and more seldom afterwards", () => {
    const paces = [0, 23, 25, 24 * 8, 24 * 31, 24 * 91].map((age) => paceOf(hours(age), false))
    assert.deepStrictEqual(paces, [1 / 12, 1 / 12, 1 / 4, 1, 4, 24].map(hours))
  })

  it("is read as often however long nothing happened, for who is preferred", () => {
    assert.strictEqual(paceOf(hours(24 * 365), true), hours(1 / 12))
  })
})
