import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { bodiesOfDay } from "../../src/upstreams/EveKillDay.ts"
import type { Poll } from "../../src/upstreams/EveKillFeed.ts"

const minute = 60_000
const begin = Date.parse("2026-03-01T00:00:00Z")
const first = 1_000

/** A killmail every minute; every hundredth was killed a year before. */
const entryOf = (index: number) => {
  const millis = begin + index * minute - (index % 100 === 50 ? 365 * 1440 * minute : 0)
  const killmail_time = new Date(millis).toISOString()
  const killmail_id = 500_000 + index
  return { seq: first + index, killmail_id, killmail_hash: "0".repeat(40), data: { killmail_id, killmail_time } }
}

/** Of so many days from March on. */
const feedOf = (days: number) => {
  const count = days * 1440
  let asked = 0
  const poll: Poll = (after, limit) =>
    Effect.sync(() => {
      asked++
      const from = Math.max(0, after - first + 1)
      const size = after === 0 ? 0 : Math.max(0, Math.min(limit, count - from))
      return {
        data: Array.from({ length: size }, (_, index) => entryOf(from + index)),
        latest: first + count - 1,
        hasMore: from + size < count
      }
    })
  return { poll, asked: () => asked }
}

const read = (days: number, day: string) =>
  Effect.gen(function*() {
    const { asked, poll } = feedOf(days)
    const file = yield* bodiesOfDay(poll, day)
    const members = file === undefined
      ? undefined
      : Object.entries(JSON.parse(file.toString()) as Record<string, object>)
    return { asked: asked(), members }
  })

describe("the bodies of a day in EVE-KILL's feed", () => {
  it.effect("are found with some dozen questions, and no others with them", () =>
    Effect.gen(function*() {
      const { asked, members } = yield* read(300, "2026-07-14")
      assert.strictEqual(
        members!.length,
        1440 - [...Array(1440).keys()].filter((k) => (k + 135 * 1440) % 100 === 50).length
      )
      for (const [id, body] of members!) {
        assert.match((body as { killmail_time: string }).killmail_time, /^2026-07-14T/)
        assert.strictEqual((body as { killmail_id: number }).killmail_id, Number(id))
      }
      assert.isBelow(asked, 20)
    }))

  it.effect("are those of its first and last day, too", () =>
    Effect.gen(function*() {
      assert.isAtLeast((yield* read(3, "2026-03-01")).members!.length, 1425)
      assert.isAtLeast((yield* read(3, "2026-03-03")).members!.length, 1425)
    }))

  it.effect("are not told for a day before the feed begins, and none for one after its end", () =>
    Effect.gen(function*() {
      assert.isUndefined((yield* read(3, "2026-02-27")).members)
      assert.deepStrictEqual((yield* read(3, "2026-03-09")).members, [])
    }))
})
