import { assert, describe, it } from "@effect/vitest"
import { planets } from "../../src/character-data/Planets.ts"

type Document = Parameters<typeof planets.changes>[0]

const noon = Date.parse("2026-11-21T12:00:00Z")
const at = (minutes: number) => new Date(noon + minutes * 60_000).toISOString()
const between = { characterId: 1, since: noon, until: noon + 600_000 }

const colony = (planet_id: number, expiry_time: string): Document => ({
  planets: [{
    planet_id,
    solar_system_id: 30_000_142,
    planet_type: "gas",
    owner_id: 1,
    upgrade_level: 4,
    num_pins: 2,
    last_update: at(-600),
    pins: [
      { pin_id: 1, type_id: 2_524 },
      { pin_id: 2, type_id: 2_848, expiry_time, extractor_details: { product_type_id: 2_267 } }
    ]
  }]
})
const none: Document = { planets: [] }
const changes = (before: Document, after: Document) =>
  planets.changes(before, after, between).map(({ change }) => change)

describe("an extractor", () => {
  it("is finished once, when its time is over, though nobody looked at the colony", () => {
    assert.deepStrictEqual(changes(colony(1, at(5)), colony(1, at(5))), ["extractor_finished"])
    assert.deepStrictEqual(changes(colony(1, at(-5)), colony(1, at(-5))), [])
    assert.deepStrictEqual(changes(colony(1, at(50)), colony(1, at(50))), [])
  })

  it("that was started again before its end did not finish", () => {
    assert.deepStrictEqual(changes(colony(1, at(5)), colony(1, at(900))), [])
  })
})

describe("a colony", () => {
  it("is told when it is founded and abandoned", () => {
    assert.deepStrictEqual(changes(none, colony(1, at(50))), ["colony_founded"])
    assert.deepStrictEqual(changes(colony(1, at(50)), none), ["colony_abandoned"])
  })
})
