import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { activitySince, type KnownTotals, type MapActivity } from "../../src/domain/MapActivity.ts"

const total = (characterId: number, passages: number, connections = 0, signatures = 0): MapActivity => ({
  characterId,
  corporationId: 98_000_001,
  allianceId: null,
  passages,
  connections,
  signatures
})

const told = (seenAt: number, ...totals: ReadonlyArray<MapActivity>): ReadonlyArray<KnownTotals> =>
  totals.map((each) => ({ ...each, seenAt }))

describe("what was done on a map since the last look", () => {
  it("is the difference of the totals, and nothing of whoever did nothing", () => {
    const known = told(1, total(1, 10, 2, 5), total(2, 3))
    assert.deepStrictEqual(activitySince(known, [total(1, 12, 2, 9), total(2, 3), total(3, 4)], []), [
      total(1, 2, 0, 4),
      total(3, 4)
    ])
  })

  it("is nothing where a total fell, and counts from there", () => {
    assert.deepStrictEqual(activitySince(told(1, total(1, 50, 5)), [total(1, 4, 6)], []), [total(1, 0, 1)])
    assert.deepStrictEqual(activitySince(told(2, total(1, 4, 6)), [total(1, 7, 6)], []), [total(1, 3)])
  })

  it("is a pilot's, whichever character the mapper names", () => {
    const known = [...told(1, total(1, 100)), ...told(2, total(2, 110))]
    assert.deepStrictEqual(activitySince(known, [total(3, 115)], [[1, 2, 3]]), [total(3, 5)])
    assert.deepStrictEqual(activitySince(known, [total(1, 115)], [[1, 2, 3]]), [total(1, 5)])
  })

  it("is that of two pilots together, once they are one", () => {
    const known = told(1, total(1, 10), total(2, 20))
    assert.deepStrictEqual(activitySince(known, [total(2, 33)], [[1, 2]]), [total(2, 3)])
  })
})

/** For each character of a pilot: what it does before each look, and whether the mapper leaves the pilot out then. */
const Times = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
const Step = Schema.Struct({
  did: Schema.Tuple([Times, Times, Times]),
  missing: Schema.Boolean
})

describe("the sum of all differences", () => {
  it.prop("is the last total, whoever was named and whoever was missing", [Schema.Array(Step)], ([steps]) => {
    const characters = [1, 2, 3]
    const counts = characters.map(() => 0)
    let known: ReadonlyArray<KnownTotals> = []
    let lastTold = 0
    let sum = 0
    steps.forEach(({ did, missing }, look) => {
      did.forEach((times, index) => counts[index]! += times)
      const all = counts.reduce((a, b) => a + b, 0)
      if (missing || all === 0) return
      const busiest = characters[counts.indexOf(Math.max(...counts))]!
      const totals = [total(busiest, all)]
      for (const each of activitySince(known, totals, [characters])) sum += each.passages
      known = [...known.filter(({ characterId }) => characterId !== busiest), ...told(look, ...totals)]
      lastTold = all
    })
    assert.strictEqual(sum, lastTold)
  })
})
