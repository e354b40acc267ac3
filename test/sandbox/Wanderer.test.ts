import { assert, describe, it } from "@effect/vitest"
import { makeJudge } from "../../src/sandbox/Judge.ts"
import { clockMap, mapKey, mapSlug, type MapState, wanderer } from "../../src/sandbox/Wanderer.ts"
import { askAt, rulesOf } from "./Visitor.ts"

const noon = Date.UTC(2026, 10, 20, 12)
const hour = 3_600_000
const day = 24 * hour

interface Row {
  readonly character: { readonly eve_id: string; readonly corporation_id: number | null }
  readonly passages: number
  readonly connections: number
  readonly signatures: number
  readonly timestamp: string
}

const setUp = (map: MapState = clockMap("tests", 1)) => {
  const judge = makeJudge()
  const upstream = wanderer(map, judge, 1)
  const ask = (path: string, at = noon, headers: Record<string, string> = { authorization: `Bearer ${mapKey}` }) =>
    askAt(upstream, judge, path, at, headers)
  const rows = async (query = "", at = noon): Promise<ReadonlyArray<Row>> =>
    JSON.parse((await ask(`/api/map/character-activity?slug=${mapSlug}${query}`, at)).body!).data
  return { ask, judge, rows }
}

const sum = (rows: ReadonlyArray<Row>, counter: "passages" | "signatures") =>
  rows.reduce((all, row) => all + row[counter], 0)

const did = (character: number, passages: number, signatures = 0) => ({
  character,
  corporation: 98_000_001,
  passages,
  connections: 0,
  signatures
})

describe("Wanderer", () => {
  it("tells each user's total under the character that did most, without order, and the time of the question", async () => {
    const { rows } = setUp(() => [[did(1, 5), did(2, 9)], [did(3, 1)]])
    const told = await rows()
    assert.deepStrictEqual(
      told.map(({ character, passages }) => [character.eve_id, passages]).toSorted(),
      [["2", 14], ["3", 1]]
    )
    assert.deepStrictEqual(new Set(told.map(({ timestamp }) => timestamp)), new Set([new Date(noon).toISOString()]))
  })

  it("leaves out whoever made no jump, whatever else they did", async () => {
    const { rows } = setUp(() => [[did(1, 0, 7)], [did(2, 1, 7), did(3, 0, 7)]])
    assert.deepStrictEqual((await rows()).map(({ signatures }) => signatures), [7])
  })

  it("rises with time, falls at midnight by the jumps of a week ago, and tells the last days alone when asked", async () => {
    const { rows } = setUp()
    const totals = await Promise.all(
      [noon, noon + 11 * hour, noon + 12 * hour].map(async (at) => sum(await rows("", at), "passages"))
    )
    assert.isAbove(totals[1]!, totals[0]!)
    assert.isBelow(totals[2]!, totals[1]!)
    const lastDay = sum(await rows("&days=1"), "passages")
    assert.isBelow(lastDay, totals[0]! / 5)
    assert.approximately(sum(await rows("&days=1", noon + day), "passages"), lastDay, 20)
  })

  it("knows whose characters are whose", async () => {
    const { ask } = setUp(() => [[did(1, 5), did(2, 0)], [did(3, 1)]])
    const { data } = JSON.parse((await ask(`/api/map/user_characters?slug=${mapSlug}`)).body!)
    assert.deepStrictEqual(
      data.map((user: { characters: ReadonlyArray<{ eve_id: string }> }) =>
        user.characters.map(({ eve_id }) => eve_id)
      ),
      [["1", "2"], ["3"]]
    )
  })

  it("wants the key and the slug of one map, and a whole number of days", async () => {
    const { ask, judge } = setUp()
    const path = `/api/map/character-activity?slug=${mapSlug}`
    const statusOf = async (path: string, headers?: Record<string, string>) => (await ask(path, noon, headers)).status
    assert.strictEqual(await statusOf(path), 200)
    assert.strictEqual(await statusOf(path, {}), 401)
    assert.strictEqual(await statusOf(path, { authorization: "Bearer other" }), 401)
    assert.strictEqual(await statusOf("/api/map/character-activity?slug=other"), 404)
    assert.strictEqual(await statusOf("/api/map/character-activity"), 400)
    assert.strictEqual(await statusOf(`${path}&days=0`), 400)
    assert.deepStrictEqual(rulesOf(judge), [])
  })
})
