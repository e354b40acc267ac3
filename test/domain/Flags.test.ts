import { assert, describe, it } from "@effect/vitest"
import { flagsOf } from "../../src/domain/Flags.ts"
import type { Attacker, Killmail } from "../../src/domain/Killmail.ts"
import { factsOf, typeOf } from "../support/Facts.ts"

const rifter = 587
const facts = factsOf([
  typeOf(rifter),
  typeOf(670, { groupId: 29 }),
  typeOf(672, { groupId: 31 }),
  typeOf(588, { groupId: 237 }),
  typeOf(35_832, { categoryId: 65 }),
  typeOf(4318, { categoryId: 46 })
])

const pilot = { character_id: 2_100_000_001, corporation_id: 98_000_001, ship_type_id: rifter }
const rat = { corporation_id: 1_000_134, faction_id: 500_010, ship_type_id: 19_505 }
const agent = { character_id: 3_100_000, corporation_id: 1_000_125, ship_type_id: rifter }

const mail = (victim: Partial<Killmail["victim"]>, ...attackers: ReadonlyArray<Partial<Attacker>>): Killmail => ({
  killmail_id: 133_500_000,
  killmail_time: "2026-04-15T14:56:23Z",
  solar_system_id: 30_000_142,
  victim: { corporation_id: 98_000_009, ship_type_id: rifter, damage_taken: 1, ...victim },
  attackers: attackers.map((attacker, k) => ({
    damage_done: 1,
    final_blow: k === 0,
    security_status: 0,
    ...attacker
  }))
})

const victim = { character_id: 2_100_000_009 }
const flags = (...killmail: Parameters<typeof mail>) => flagsOf(mail(...killmail), facts)

describe("a loss to NPCs", () => {
  it("is one in which no player fired", () => {
    assert.isTrue(flags(victim, rat, agent).npc)
    assert.isTrue(flags(victim).npc)
    assert.isFalse(flags(victim, rat, pilot).npc)
  })

  it("is none if a structure fired, which has a corporation and no pilot", () => {
    assert.isFalse(flags(victim, { corporation_id: 98_000_001, ship_type_id: 35_832 }).npc)
  })

  it("is any of a structure that NPCs own, whoever fired", () => {
    assert.isTrue(flags({ corporation_id: 1_000_127, ship_type_id: 35_832 }, pilot).npc)
    assert.isFalse(flags({ ...victim, corporation_id: 1_000_127 }, pilot).npc)
    assert.isFalse(flags({ corporation_id: 98_000_009, ship_type_id: 4318 }, pilot).npc)
  })
})

describe("a solo kill", () => {
  it("has one pilot, with whatever NPCs", () => {
    assert.isTrue(flags(victim, pilot).solo)
    assert.isTrue(flags(victim, rat, agent, pilot).solo)
    assert.isFalse(flags(victim, pilot, { ...pilot, character_id: 2_100_000_002 }).solo)
    assert.isFalse(flags(victim, rat).solo)
  })

  it("is none of a capsule, a shuttle, a corvette, or what is no ship or not known", () => {
    for (const ship_type_id of [670, 672, 588, 35_832, 4318, 999_999]) {
      assert.isFalse(flags({ ...victim, ship_type_id }, pilot).solo, `${ship_type_id}`)
    }
  })

  it("is none with the help of a structure", () => {
    assert.isFalse(flags(victim, pilot, { corporation_id: 98_000_001, ship_type_id: 35_832 }).solo)
  })
})

describe("an awox", () => {
  const own = { ...pilot, corporation_id: 98_000_009 }

  it("is by one of the victim's corporation, who had the final blow", () => {
    assert.isTrue(flags(victim, own).awox)
    assert.isTrue(flags(victim, { ...victim, corporation_id: 98_000_009 }).awox)
    assert.isFalse(flags(victim, pilot, own).awox)
  })

  it("is none in an NPC corporation", () => {
    assert.isFalse(flags({ ...victim, corporation_id: 1_000_167 }, { ...pilot, corporation_id: 1_000_167 }).awox)
  })

  it("is none of a capsule or a corvette, but of a shuttle", () => {
    assert.isFalse(flags({ ...victim, ship_type_id: 670 }, own).awox)
    assert.isFalse(flags({ ...victim, ship_type_id: 588 }, own).awox)
    assert.isTrue(flags({ ...victim, ship_type_id: 672 }, own).awox)
  })
})
