import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { dividedBy, iskNumber, iskOf, iskText, largestIsk } from "../../src/domain/Isk.ts"

/** Whole hundredths up to 3 × 10^13 ISK, which is more than all mails of a year were worth. */
const hundredths = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3e15 }))
const runs = { arbitrary: { runs: 2000 } }

describe("an amount of ISK", () => {
  it.prop("survives numbers and text to the last hundredth", [hundredths], ([amount]) => {
    const isk = BigInt(amount)
    assert.strictEqual(iskOf(amount / 100), isk)
    assert.strictEqual(iskOf(iskNumber(isk)), isk)
    assert.strictEqual(iskOf(Number(iskText(isk))), isk)
    assert.match(iskText(isk), /^\d+\.\d\d$/)
  }, runs)

  it.prop("is divided to the nearest hundredth, whatever its size", [
    hundredths,
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000 }))
  ], ([amount, count]) => {
    const isk = BigInt(amount) * 10_007n
    const rest = isk - dividedBy(isk, count) * BigInt(count)
    assert.isTrue(2n * rest <= BigInt(count) && 2n * rest > -BigInt(count) - 1n)
  }, runs)

  it("is written as Postgres reads it", () => {
    assert.deepStrictEqual([0n, 1n, 99n, 100n, 123_456n, largestIsk].map(iskText), [
      "0.00",
      "0.01",
      "0.99",
      "1.00",
      "1234.56",
      "999999999999999999.99"
    ])
  })

  it("is none where a number is none", () => {
    for (const amount of [-0.01, -1e300, Number.NaN, Infinity, -Infinity]) assert.isUndefined(iskOf(amount))
    assert.strictEqual(iskOf(-0), 0n)
  })
})
