import { assert, describe, it } from "@effect/vitest"
import { skills } from "../../src/character-data/Skills.ts"

type Document = Parameters<typeof skills.changes>[0]

const noon = Date.parse("2026-11-21T12:00:00Z")
const at = (minutes: number) => new Date(noon + minutes * 60_000).toISOString()
const between = { characterId: 1, since: noon, until: noon + 600_000 }

const known = (levels: Readonly<Record<number, number>>, queue: ReadonlyArray<readonly [number, number, string?]>) => ({
  skills: Object.entries(levels).map(([skill_id, level]) => ({
    skill_id: Number(skill_id),
    trained_skill_level: level,
    active_skill_level: level,
    skillpoints_in_skill: 0
  })),
  total_sp: 0,
  queue: queue.map(([skill_id, finished_level, finish_date], queue_position) => ({
    skill_id,
    finished_level,
    queue_position,
    ...(finish_date === undefined ? {} : { finish_date })
  }))
} satisfies Document)

const done = (before: Document, after: Document) =>
  skills.changes(before, after, between).map(({ at, subject }) => [subject, at])

describe("a skill", () => {
  it("is done when its time in the queue is over, though ESI's list of skills is of the last login", () => {
    const same = known({ 3300: 3 }, [[3300, 4, at(5)], [3300, 5, at(900)]])
    assert.deepStrictEqual(done(same, same), [["3300:4", at(5)]])
  })

  it("is not done anew when the pilot logs in and the list catches up", () => {
    const before = known({ 3300: 3 }, [[3300, 4, at(-5)]])
    assert.deepStrictEqual(done(before, known({ 3300: 4 }, [])), [])
  })

  it("is done in one of two syncs, whenever between them its time was over", () => {
    const queue = known({ 3300: 3 }, [[3300, 4, at(5)]])
    const until = [0, 5, 10].map((minutes) => noon + minutes * 60_000)
    const told = [1, 2].map((sync) =>
      skills.changes(queue, queue, { characterId: 1, since: until[sync - 1]!, until: until[sync]! }).length
    )
    assert.deepStrictEqual(told, [1, 0])
  })

  it("that was taken from the queue, or is paused, is not done", () => {
    const before = known({ 3300: 3 }, [[3300, 4, at(5)]])
    assert.deepStrictEqual(done(before, known({ 3300: 3 }, [])), [])
    assert.deepStrictEqual(done(before, known({ 3300: 3 }, [[3300, 4]])), [])
  })

  it("that was injected is done when it is noticed", () => {
    assert.deepStrictEqual(done(known({}, []), known({ 3301: 2 }, [])), [["3301:2", at(10)]])
  })
})
