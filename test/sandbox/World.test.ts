import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { hashOf, Killmail } from "../../src/domain/Killmail.ts"
import { killmailIdOf, mailWithId, newestMailAt, publishedAt } from "../../src/sandbox/Calendar.ts"
import { isType } from "../../src/sandbox/Gazetteer.ts"
import { nameOf } from "../../src/sandbox/People.ts"
import { killmailOf } from "../../src/sandbox/World.ts"

const decode = Schema.decodeUnknownSync(Killmail)
const count = 5_000
const mails = Array.from({ length: count }, (_, k) => killmailOf("proportions", k))

const share = (has: (mail: typeof mails[number]) => boolean): number => mails.filter(has).length / count

const within = (value: number, low: number, high: number, what: string) =>
  assert.isTrue(value >= low && value <= high, `${what} is ${value}, not between ${low} and ${high}`)

describe("the generator of New Eden's losses", () => {
  it("gives the same mail for the same seed and number, and another for another", () => {
    assert.deepStrictEqual(killmailOf("a", 77), killmailOf("a", 77))
    assert.notDeepEqual(killmailOf("a", 77).killmail.victim, killmailOf("b", 77).killmail.victim)
    assert.notDeepEqual(killmailOf("a", 77).killmail.victim, killmailOf("a", 78).killmail.victim)
  })

  it("makes mails that pass the schema, with the hash that CCP would compute and one final blow", () => {
    for (const { hash, killmail } of mails) {
      decode(killmail)
      assert.strictEqual(hash, hashOf(killmail))
      assert.strictEqual(killmail.attackers.filter((attacker) => attacker.final_blow).length, 1)
    }
  })

  it("keeps the proportions of real mails", () => {
    const sizes = mails.map(({ killmail }) => killmail.attackers.length).toSorted((a, b) => a - b)
    assert.strictEqual(sizes[count / 2], 2)
    within(sizes.reduce((sum, size) => sum + size, 0) / count, 3.5, 6.5, "the mean of attackers")
    within(sizes[count * 0.9]!, 5, 10, "the 90th percentile of attackers")
    within(
      mails.reduce((sum, { killmail }) => sum + killmail.victim.items!.length, 0) / count,
      12,
      18,
      "the mean of items"
    )
    within(share(({ zkb }) => zkb.npc), 0.12, 0.2, "the share of NPC kills")
    within(share(({ killmail }) => killmail.victim.ship_type_id === 670), 0.22, 0.29, "the share of capsules")
    within(share(({ killmail }) => killmail.victim.items!.some((item) => item.items)), 0.004, 0.02, "containers")
    within(share(({ killmail }) => killmail.victim.items!.some((item) => item.singleton === 2)), 0.005, 0.04, "copies")
    within(share(({ killmail }) => killmail.victim.character_id === undefined), 0.008, 0.03, "victims without pilot")
    within(share(({ killmail }) => killmail.victim.position === undefined), 0.0005, 0.01, "mails without position")
    assert.isTrue(mails.every(({ killmail }) => killmail.victim.corporation_id !== undefined))
  })

  it("has every oddity that real mails have", () => {
    const attackers = mails.flatMap(({ killmail }) => killmail.attackers)
    assert.isTrue(
      attackers.some((attacker) => attacker.faction_id && !attacker.corporation_id && !attacker.character_id)
    )
    assert.isTrue(attackers.some((attacker) => attacker.ship_type_id === undefined))
    assert.isTrue(attackers.some((attacker) => attacker.character_id && attacker.weapon_type_id === undefined))
    assert.isTrue(attackers.some((attacker) => attacker.damage_done === 0))
    assert.isTrue(mails.some(({ killmail }) => killmail.moon_id !== undefined))
    assert.isTrue(mails.some(({ killmail }) => killmail.war_id !== undefined))
    const isSplit = mails.some(({ killmail }) =>
      killmail.victim.items!.some((item, index, items) =>
        items[index + 1]?.item_type_id === item.item_type_id && items[index + 1]?.flag === item.flag &&
        item.quantity_dropped !== undefined && items[index + 1]?.quantity_destroyed !== undefined
      )
    )
    assert.isTrue(isSplit)
  })

  it("gives every pilot one name and one corporation on all mails", () => {
    const corporations = new Map<number, number>()
    for (const { character_id, corporation_id } of mails.flatMap(({ killmail }) => killmail.attackers)) {
      if (character_id === undefined) continue
      assert.strictEqual(corporations.get(character_id) ?? corporation_id, corporation_id)
      corporations.set(character_id, corporation_id!)
    }
    assert.isAbove(corporations.size, 5_000)
  })

  it("names every id on a mail, and holds no type that the game does not have", () => {
    for (const { killmail } of mails.slice(0, 500)) {
      const parties = [killmail.victim, ...killmail.attackers]
      const ids = parties.flatMap((
        party
      ) => [party.character_id, party.corporation_id, party.alliance_id, party.faction_id, party.ship_type_id])
      for (const id of [killmail.solar_system_id, ...ids]) {
        assert.isTrue(id === undefined || nameOf(id) !== undefined, `${id}`)
      }
      const types = [killmail.victim.ship_type_id, ...killmail.victim.items!.map((item) => item.item_type_id)]
      assert.isTrue(types.every(isType))
    }
  })
})

describe("the calendar", () => {
  it("numbers killmails uniquely, not in order, and finds each again by its id", () => {
    const ids = Array.from({ length: 2_000 }, (_, k) => killmailIdOf("a", k))
    assert.strictEqual(new Set(ids).size, 2_000)
    assert.notDeepEqual(ids, ids.toSorted((a, b) => a - b))
    ids.forEach((id, k) => assert.strictEqual(mailWithId("a", id), k))
  })

  it("lets a mail appear at its instant, shortly after its ship died", () => {
    for (const speed of [1, 50]) {
      const at = Math.ceil(publishedAt(12_345, speed))
      assert.strictEqual(newestMailAt(at + 1, speed), 12_345)
      assert.isBelow(newestMailAt(at - 1_000, speed), 12_345)
      assert.isBelow(Date.parse(killmailOf("a", 12_345, speed).killmail.killmail_time), at)
    }
  })
})
