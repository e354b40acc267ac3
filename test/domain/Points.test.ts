import { assert, describe, it } from "@effect/vitest"
import type { Attacker, Item, Killmail } from "../../src/domain/Killmail.ts"
import { pointsOf } from "../../src/domain/Points.ts"
import { factsOf, typeOf } from "../support/Facts.ts"
import { crowd } from "../support/Mails.ts"

const [frigate, cruiser, battleship, capsule, strategicCruiser, structure] = [1, 2, 3, 4, 5, 6]
const [heated, fancy, passive, droneDamage, laser, rocket] = [11, 12, 13, 14, 15, 16]
const module = (typeId: number, dogma: ReadonlyArray<readonly [number, number]>, groupId = 60) =>
  typeOf(typeId, { categoryId: 7, groupId, dogma: new Map(dogma) })

const facts = factsOf([
  typeOf(frigate, { dogma: new Map([[1547, 1]]) }),
  typeOf(cruiser, { dogma: new Map([[1547, 2]]) }),
  typeOf(battleship, { dogma: new Map([[1547, 3]]) }),
  typeOf(capsule, { groupId: 29 }),
  typeOf(strategicCruiser, { groupId: 963, dogma: new Map([[1547, 4]]) }),
  typeOf(structure, { categoryId: 65 }),
  module(heated, [[1211, 0.7]]),
  module(fancy, [[1211, 5], [633, 5]]),
  module(passive, [[633, 5]]),
  module(droneDamage, [], 645),
  module(laser, [], 54),
  typeOf(rocket, { categoryId: 8, dogma: new Map([[1211, 1]]) })
])

const item = (item_type_id: number, flag: number, quantity = 1): Item => ({
  item_type_id,
  flag,
  singleton: 0,
  quantity_destroyed: quantity
})

const mail = (
  ship_type_id: number,
  items: ReadonlyArray<Item>,
  attackers: ReadonlyArray<Partial<Attacker>>
): Killmail => ({
  killmail_id: 133_500_000,
  killmail_time: "2026-04-15T14:56:23Z",
  solar_system_id: 30_000_142,
  victim: { ship_type_id, damage_taken: 1, items },
  attackers: attackers.map((attacker) => ({ damage_done: 1, final_blow: true, security_status: 0, ...attacker }))
})

const by = (ship_type_id: number) => [{ character_id: 2_100_000_001, ship_type_id }]
const points = (...killmail: Parameters<typeof mail>) => pointsOf(mail(...killmail), false, facts)
/** Enough to be dangerous: 8 points of danger. */
const armed = Array.from({ length: 8 }, (_, k) => item(heated, 27 + k))

describe("a kill's points", () => {
  it("grow with the hull's size and what it could fight with", () => {
    // (5 + 8) × 1, (25 + 8) × 1 at most a fifth more for the smaller attacker: 39.6
    assert.strictEqual(points(frigate, armed, by(frigate)), 13)
    assert.strictEqual(points(cruiser, armed, by(frigate)), 39)
    // A strategic cruiser is as big as a cruiser, whatever its rigs.
    assert.strictEqual(points(strategicCruiser, armed, by(cruiser)), 33)
  })

  it("are few for a hull that could hardly fight", () => {
    // (5 + 2) × 2/4
    assert.strictEqual(points(frigate, [item(heated, 11), item(heated, 19)], by(frigate)), 3)
    // 125 × 0.01
    assert.strictEqual(points(battleship, [], by(battleship)), 1)
  })

  it("count better modules for more, in slots only, and nothing but modules that overheat or drive drones", () => {
    // (25 + 3) × 3/4
    assert.strictEqual(points(cruiser, [item(fancy, 27)], by(cruiser)), 21)
    assert.strictEqual(points(cruiser, [item(heated, 125, 3)], by(cruiser)), 21)
    assert.strictEqual(points(cruiser, [item(droneDamage, 11, 3)], by(cruiser)), 21)
    const useless = [item(fancy, 5), item(fancy, 87), item(fancy, 92), item(passive, 12), item(rocket, 27)]
    assert.strictEqual(points(cruiser, [item(fancy, 27), ...useless], by(cruiser)), 21)
    // Two mining lasers leave 1 of 3: (25 + 1) × 1/4
    assert.strictEqual(points(cruiser, [item(fancy, 27), item(laser, 28, 2)], by(cruiser)), 6)
  })

  it("count everything of mails that tell no slots", () => {
    const killmail = mail(cruiser, [item(fancy, 0)], by(cruiser))
    assert.strictEqual(pointsOf({ ...killmail, killmail_id: 23_970_576 }, false, facts), 21)
    assert.strictEqual(pointsOf({ ...killmail, killmail_id: 23_970_577 }, false, facts), 1)
  })

  it("are shared by the pilots, more than fairly", () => {
    const gang = (count: number) => Array.from({ length: count }, () => by(battleship)[0]!)
    // 133 / 2, 133 / (4 × 2)
    assert.strictEqual(points(battleship, armed, gang(2)), 66)
    assert.strictEqual(points(battleship, armed, gang(4)), 16)
    assert.strictEqual(points(battleship, armed, gang(40)), 1)
  })

  it("are fewer for bigger attackers, NPCs and capsules among them", () => {
    // 33 × 0.5, as 125 is five times 25
    assert.strictEqual(points(cruiser, armed, by(battleship)), 16)
    // 33 × 25/30: a ship that nobody knows is small
    assert.strictEqual(points(cruiser, armed, [...by(cruiser), { ship_type_id: 999 }]), 27)
    assert.strictEqual(points(cruiser, armed, [...by(cruiser), {}]), 27)
    // A capsule counts as one size above the victim: 33 × 0.5
    assert.strictEqual(points(cruiser, armed, by(capsule)), 16)
  })

  it("are 1 with a structure's help, without a pilot, and for a loss to NPCs", () => {
    assert.strictEqual(points(cruiser, armed, [...by(cruiser), { ship_type_id: structure }]), 1)
    assert.strictEqual(points(cruiser, armed, [{ ship_type_id: cruiser }]), 1)
    assert.strictEqual(points(cruiser, armed, []), 1)
    assert.strictEqual(pointsOf(mail(cruiser, armed, by(cruiser)), true, facts), 1)
  })

  it("are 1 at the least, for however many attackers", () => {
    assert.strictEqual(pointsOf({ ...mail(battleship, armed, []), attackers: crowd(5000) }, false, facts), 1)
  })
})
