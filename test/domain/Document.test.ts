import { assert, describe, it } from "@effect/vitest"
import { analysisOf } from "../../src/domain/Analysis.ts"
import { idsOf, type KillmailRow, toDocument, toEsi } from "../../src/domain/Document.ts"

/** A stored killmail about which next to nothing is known. */
const bare: KillmailRow = {
  killmail_id: 133_500_000,
  killmail_time: "2026-04-15T14:56:23+00:00",
  solar_system_id: 30_000_142,
  war_id: null,
  moon_id: null,
  victim_character_id: null,
  victim_corporation_id: null,
  victim_alliance_id: null,
  victim_faction_id: null,
  victim_ship_type_id: 587,
  victim_damage_taken: 0,
  attacker_count: 0,
  x: null,
  y: null,
  z: null,
  location_id: null,
  destroyed_value: null,
  dropped_value: null,
  fitted_value: null,
  total_value: null,
  unpriced_items: null,
  points: null,
  is_npc: null,
  is_solo: null,
  is_awox: null,
  labels: null,
  hash: "2be4d350260a9894b34917ccc4b2fe5a9f59325f",
  sequence: null,
  attackers: [],
  items: []
}

describe("a killmail as ESI would give it", () => {
  it("leaves out what is not known, and writes the time as ESI does", () => {
    assert.deepStrictEqual(toEsi(bare), {
      killmail_id: 133_500_000,
      killmail_time: "2026-04-15T14:56:23Z",
      solar_system_id: 30_000_142,
      victim: { ship_type_id: 587, damage_taken: 0, items: [] },
      attackers: []
    })
  })

  it("has every field that is known, also those that are 0 or false", () => {
    assert.deepStrictEqual(
      toEsi({
        ...bare,
        war_id: 1,
        moon_id: 2,
        victim_character_id: 3,
        victim_corporation_id: 4,
        victim_alliance_id: 5,
        victim_faction_id: 6,
        x: 0,
        y: -1.5,
        z: 1e12,
        attackers: [{
          character_id: null,
          corporation_id: 7,
          alliance_id: null,
          faction_id: null,
          ship_type_id: null,
          weapon_type_id: null,
          damage_done: 0,
          final_blow: false,
          security_status: 0
        }],
        items: [
          {
            ordinal: 0,
            parent_ordinal: null,
            item_type_id: 3297,
            flag: 0,
            singleton: 0,
            quantity_dropped: 0,
            quantity_destroyed: null
          },
          {
            ordinal: 1,
            parent_ordinal: 0,
            item_type_id: 34,
            flag: 5,
            singleton: 2,
            quantity_dropped: null,
            quantity_destroyed: 9
          }
        ]
      }),
      {
        killmail_id: 133_500_000,
        killmail_time: "2026-04-15T14:56:23Z",
        solar_system_id: 30_000_142,
        war_id: 1,
        moon_id: 2,
        victim: {
          character_id: 3,
          corporation_id: 4,
          alliance_id: 5,
          faction_id: 6,
          ship_type_id: 587,
          damage_taken: 0,
          position: { x: 0, y: -1.5, z: 1e12 },
          items: [{
            item_type_id: 3297,
            flag: 0,
            singleton: 0,
            quantity_dropped: 0,
            items: [{ item_type_id: 34, flag: 5, singleton: 2, quantity_destroyed: 9 }]
          }]
        },
        attackers: [{ corporation_id: 7, damage_done: 0, final_blow: false, security_status: 0 }]
      }
    )
  })

  it("has no position of which a part is missing", () => {
    assert.notProperty(toEsi({ ...bare, x: 1, y: 2 }).victim, "position")
  })
})

describe("a killmail as killmaild shows it", () => {
  it("has no value while it is not computed, and nulls for the rest", () => {
    const row = { ...bare, destroyed_value: 5 }
    assert.deepStrictEqual(toDocument(row, new Map()), {
      ...toEsi(row),
      hash: bare.hash,
      sequence: null,
      value: null,
      points: null,
      npc: null,
      solo: null,
      awox: null,
      labels: null,
      analysis: analysisOf(toEsi(row)),
      names: {}
    })
  })

  it("has its value, flags and place in the sequence once they are known", () => {
    const document = toDocument({
      ...bare,
      sequence: 7,
      destroyed_value: 1.25,
      dropped_value: 2,
      fitted_value: 3,
      total_value: 3.25,
      unpriced_items: 1,
      points: 4,
      is_npc: false,
      is_solo: true,
      is_awox: false,
      labels: ["solo"]
    }, new Map())
    assert.deepStrictEqual(document.value, { destroyed: 1.25, dropped: 2, fitted: 3, total: 3.25, unpriced_items: 1 })
    assert.strictEqual(document.sequence, 7)
    assert.deepStrictEqual([document.points, document.npc, document.solo, document.awox, document.labels], [
      4,
      false,
      true,
      false,
      ["solo"]
    ])
  })

  it("names everything in it whose name is known, and nothing else", () => {
    const row = {
      ...bare,
      moon_id: 40_009_077,
      victim_character_id: 90_000_001,
      attackers: [{
        character_id: 90_000_002,
        corporation_id: 98_000_002,
        alliance_id: null,
        faction_id: 500_001,
        ship_type_id: 24_692,
        weapon_type_id: 3_082,
        damage_done: 1,
        final_blow: true,
        security_status: 0
      }],
      items: [{
        ordinal: 0,
        parent_ordinal: null,
        item_type_id: 34,
        flag: 5,
        singleton: 0,
        quantity_dropped: 1,
        quantity_destroyed: null
      }]
    }
    const ids = [34, 587, 3_082, 24_692, 500_001, 30_000_142, 40_009_077, 90_000_001, 90_000_002, 98_000_002]
    assert.sameMembers([...idsOf(row)], ids)
    const names = new Map([[34, "Tritanium"], [90_000_002, "Some Pilot"], [90_000_003, "Somebody else"]])
    assert.deepStrictEqual(toDocument(row, names).names, { 34: "Tritanium", 90000002: "Some Pilot" })
  })
})
