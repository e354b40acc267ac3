import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { iskNumber } from "../../src/domain/Isk.ts"
import type { DailyAverage } from "../../src/domain/Market.ts"
import { priceOfDay, smoothedPrice } from "../../src/domain/SmoothedPrice.ts"
import { hasCorpus, jsonOf } from "../support/Corpus.ts"
import { averagesUpTo } from "../support/Facts.ts"

const day = "2026-04-15"
const smoothed = (...newestFirst: ReadonlyArray<number>) => smoothedPrice(averagesUpTo(day, newestFirst))

/** 1, 2, … ISK. */
const upTo = (count: number) => Array.from({ length: count }, (_, k) => k + 1)

const sum = (amounts: ReadonlyArray<bigint>) => amounts.reduce((sum, amount) => sum + amount, 0n)

/** The rule as zKillboard words it: sort, cut off the ends, take the mean. */
const sortedAndCut = (hundredths: ReadonlyArray<number>): bigint => {
  const sorted = hundredths.slice(0, 34).toSorted((a, b) => a - b)
  const kept = sorted.length === 34 ? sorted.slice(2, -2) : sorted.length >= 7 ? sorted.slice(0, -2) : sorted
  return (2n * sum(kept.map(BigInt)) + BigInt(kept.length)) / BigInt(2 * kept.length)
}

describe("the market's price of a day", () => {
  it("is the mean of up to 6 averages", () => {
    assert.strictEqual(smoothed(10), 1000n)
    assert.strictEqual(smoothed(10, 20.05), 1503n)
    assert.strictEqual(smoothed(...upTo(6)), 350n)
  })

  it("is the mean of 7 to 33 averages without the 2 highest", () => {
    assert.strictEqual(smoothed(...upTo(6), 1e12), 300n)
    assert.strictEqual(smoothed(5, 5, 5, 5, 5, 5, 5), 500n)
    assert.strictEqual(smoothed(...upTo(33)), 1600n)
  })

  it("is the mean of 34 averages without the 2 lowest and the 2 highest, and older ones do not count", () => {
    assert.strictEqual(smoothed(...upTo(34)), 1750n)
    assert.strictEqual(smoothed(...upTo(34), 1e9, 1e9), 1750n)
    assert.strictEqual(smoothed(...upTo(32), 1e12, 1e12), 1750n)
  })

  it("is none where there is no average, or only such as are no price", () => {
    assert.isUndefined(smoothed())
    assert.isUndefined(smoothed(0, -5, Number.NaN, Infinity))
    assert.strictEqual(smoothed(0, 7, Number.NaN), 700n)
  })

  const averages = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3e15 }))).check(
    Schema.isMinLength(1),
    Schema.isMaxLength(40)
  )
  it.prop("is the sorted rule's to the hundredth, up to 3 × 10^13 ISK", [averages], ([hundredths]) => {
    assert.strictEqual(smoothed(...hundredths.map((amount) => amount / 100)), sortedAndCut(hundredths))
  }, { arbitrary: { runs: 2000 } })

  it("has a word of its own on the very day, if there was trade on it", () => {
    assert.strictEqual(priceOfDay(averagesUpTo(day, [3, 9]), day), 300n)
    assert.isUndefined(priceOfDay(averagesUpTo("2026-04-14", [3, 9]), day))
    assert.isUndefined(priceOfDay(averagesUpTo(day, [0, 9]), day))
    assert.isUndefined(priceOfDay([], day))
  })

  it.skipIf(!hasCorpus)("lies within the recorded year of the Orca's prices", () => {
    const { body } = jsonOf<{ body: ReadonlyArray<{ date: string; average: number }> }>(
      "market/esi-markets-history-sample.json"
    )
    const newestFirst = body.map(({ average, date }): DailyAverage => ({ day: date, average, source: "esi" }))
      .toReversed()
    for (let skip = 0; skip + 34 <= newestFirst.length; skip++) {
      const window = newestFirst.slice(skip, skip + 34)
      const price = smoothedPrice(newestFirst.slice(skip))!
      assert.strictEqual(price, sortedAndCut(window.map(({ average }) => Math.round(average * 100))))
      const sorted = window.map(({ average }) => average).toSorted((a, b) => a - b)
      assert.isTrue(sorted[2]! <= iskNumber(price) && iskNumber(price) <= sorted[31]!)
    }
  })
})
