/** Blueprints as CCP's static data export had them in June 2023 (Uprising V21.03, blueprints.yaml). */
import { assert, describe, it } from "@effect/vitest"
import { buildCost } from "../../src/domain/BuildCost.ts"
import { typeOf } from "../support/Facts.ts"

/** Material, quantity in the blueprint, and what is left of it after a tenth is saved. */
type Needs = ReadonlyArray<readonly [typeId: number, quantity: number, needed: number]>

/** Avatar Blueprint (11568). */
const avatar: Needs = [
  [21_009, 80, 72], // Capital Propulsion Engine
  [21_011, 400, 360], // Capital Turret Hardpoint
  [21_013, 100, 90], // Capital Sensor Cluster
  [21_017, 400, 360], // Capital Armor Plates
  [21_019, 400, 360], // Capital Capacitor Battery
  [21_021, 300, 270], // Capital Power Generator
  [21_023, 50, 45], // Capital Shield Emitter
  [21_025, 300, 270], // Capital Jump Drive
  [21_035, 200, 180], // Capital Computer System
  [21_037, 200, 180], // Capital Construction Parts
  [24_545, 500, 450], // Capital Jump Bridge Array
  [24_547, 500, 450], // Capital Clone Vat Bay
  [24_556, 500, 450], // Capital Doomsday Weapon Mount
  [24_558, 500, 450], // Capital Ship Maintenance Bay
  [24_560, 500, 450], // Capital Corporate Hangar Bay
  [57_470, 128, 116], // U-C Trigger Neurolink Conduit
  [57_474, 250, 225],
  [57_478, 1600, 1440],
  [57_486, 800, 720],
  [57_487, 20, 18],
  [57_489, 1, 1] // Enhanced Neurolink Protection Cell
]

/** Hel Blueprint (22853). */
const hel: Needs = [
  [21_009, 50, 45],
  [21_013, 40, 36],
  [21_017, 50, 45],
  [21_019, 150, 135],
  [21_021, 50, 45],
  [21_023, 100, 90],
  [21_025, 100, 90],
  [21_029, 250, 225],
  [21_035, 10, 9],
  [21_037, 50, 45],
  [24_558, 100, 90],
  [24_560, 50, 45],
  [57_473, 64, 58],
  [57_477, 125, 113],
  [57_478, 800, 720],
  [57_486, 400, 360],
  [57_487, 10, 9],
  [57_489, 1, 1]
]

/** Rifter Blueprint (691). */
const rifter: Needs = [
  [34, 32_000, 28_800], // Tritanium
  [35, 6000, 5400], // Pyerite
  [36, 2500, 2250], // Mexallon
  [37, 500, 450] // Isogen
]

const hullOf = (typeId: number, needs: Needs, outputQuantity = 1) =>
  typeOf(typeId, {
    manufacturing: { outputQuantity, materials: needs.map(([typeId, quantity]) => ({ typeId, quantity })) }
  })

/** Every material has a price of its own: 1,000 ISK for each number of its id, and a hundredth. */
const priceOf = (typeId: number) => ({ price: BigInt(typeId) * 100_000n + 1n, unpriced: [] })

const costOf = (needs: Needs) =>
  needs.reduce((cost, [typeId, , needed]) => cost + priceOf(typeId).price * BigInt(needed), 0n)

describe("what it costs to build", () => {
  for (const [name, typeId, needs] of [["a titan", 11_567, avatar], ["a supercarrier", 22_852, hel]] as const) {
    it(`${name} is the price of its materials, of which a tenth is saved`, () => {
      assert.deepStrictEqual(buildCost(hullOf(typeId, needs), priceOf), { price: costOf(needs), unpriced: [] })
    })
  }

  it("a Rifter is its minerals'", () => {
    const minerals = new Map([[34, 402n], [35, 1010n], [36, 8055n], [37, 2433n]])
    assert.deepStrictEqual(
      buildCost(hullOf(587, rifter), (typeId) => ({ price: minerals.get(typeId)!, unpriced: [] })),
      // 115,776.00 + 54,540.00 + 181,237.50 + 10,948.50
      { price: 36_250_200n, unpriced: [] }
    )
  })

  it("one of many that a run makes is its part of the run, to the hundredth", () => {
    const charge = hullOf(210, [[34, 204, 184]], 100)
    assert.deepStrictEqual(buildCost(charge, () => ({ price: 333n, unpriced: [] })), { price: 613n, unpriced: [] })
  })

  it("is no less than one unit of each material", () => {
    assert.deepStrictEqual(buildCost(hullOf(1, [[2, 1, 1]]), () => ({ price: 100n, unpriced: [] }))?.price, 100n)
  })

  it("tells which materials have no price", () => {
    assert.deepStrictEqual(
      buildCost(
        hullOf(587, rifter),
        (typeId) => typeId === 36 || typeId === 37 ? { price: 0n, unpriced: [typeId] } : { price: 100n, unpriced: [] }
      ),
      { price: 3_420_000n, unpriced: [36, 37] }
    )
  })

  it("does not count the plain thing that is upgraded to one of its own kind", () => {
    assert.deepStrictEqual(
      buildCost(hullOf(32_250, [[32_250, 1, 1], [34, 10, 9]]), () => ({
        price: 100n,
        unpriced: []
      }))?.price,
      900n
    )
  })

  it("a customs office is a gantry's and that of 8 of each of four commodities", () => {
    assert.deepStrictEqual(
      buildCost(typeOf(2233), (typeId) => ({ price: typeId === 3962 ? 7n : 100n, unpriced: [] })),
      {
        price: 3207n,
        unpriced: []
      }
    )
  })

  it("is unknown for what nobody builds", () => {
    assert.isUndefined(buildCost(typeOf(11_936), priceOf))
  })
})
