import { assert, describe, it } from "@effect/vitest"
import { dueIn } from "../../src/character-data/Pace.ts"

const now = Date.parse("2026-11-21T12:00:00Z")
const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const due = (unseenMillis: number, ends: ReadonlyArray<number> = [], freshMillis = minute) =>
  dueIn({
    answers: {
      "/skills": { asked_at: now, fresh_until: now + freshMillis },
      "/skillqueue": { asked_at: now, fresh_until: now + 5 * minute + freshMillis }
    },
    ends: ends.map((millis) => new Date(now + millis).toISOString()),
    now,
    scheduleSpeed: 1,
    unseenMillis
  })

describe("a character", () => {
  it("is asked for again as soon as the first of ESI's answers has expired, and never before", () => {
    assert.strictEqual(due(0), minute)
    assert.strictEqual(due(0, [1000]), minute)
    assert.strictEqual(due(0, [], -minute), 0)
  })

  it("is asked for the more rarely, the longer its user was away", () => {
    assert.deepStrictEqual([2 * hour, 2 * day, 40 * day].map((unseen) => due(unseen)), [10 * minute, hour, day])
  })

  it("is asked for when something ends, however long its user was away, but not for what has ended", () => {
    assert.strictEqual(due(40 * day, [-hour, 3 * hour, 5 * hour]), 3 * hour)
  })
})
