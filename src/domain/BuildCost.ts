/** What it costs to build something from its materials: zKillboard's rule. Pure. */
import { dividedBy, type Isk } from "./Isk.ts"
import type { TypeFacts } from "./StaticData.ts"

/** ISK a unit, and the types whose price was missing for it: where there are any, the true price is higher. */
export interface Priced {
  readonly price: Isk
  readonly unpriced: ReadonlyArray<number>
}

interface Material {
  readonly typeId: number
  readonly quantity: number
}

/** Undefined for what nobody builds. Fees, time and the blueprint cost nothing. */
export const buildCost = (type: TypeFacts, priceOf: (typeId: number) => Priced): Priced | undefined => {
  const materials = materialsOf(type)
  if (materials.length === 0) return undefined
  let cost = 0n
  const unpriced = new Set<number>()
  for (const { quantity, typeId } of materials) {
    const material = priceOf(typeId)
    cost += material.price * BigInt(quantity)
    for (const each of material.unpriced) unpriced.add(each)
  }
  return { price: dividedBy(cost, Math.max(1, type.manufacturing?.outputQuantity ?? 1)), unpriced: [...unpriced] }
}

/**
 * For one run. Everyone builds from researched blueprints, which save a tenth of each material, but for its last unit.
 * What an upgraded thing is made from of its own kind does not count.
 */
const materialsOf = (type: TypeFacts): ReadonlyArray<Material> =>
  type.typeId === customsOffice ? customsOfficeUpgrade : (type.manufacturing?.materials ?? [])
    .filter(({ typeId }) => typeId !== type.typeId)
    .map(({ quantity, typeId }) => ({ typeId, quantity: Math.max(1, Math.ceil(0.9 * quantity)) }))

/** No blueprint makes it: pilots anchor a gantry and bring it these. */
const customsOffice = 2233
const customsOfficeUpgrade: ReadonlyArray<Material> = [
  { typeId: 3962, quantity: 1 }, // Customs Office Gantry
  { typeId: 2867, quantity: 8 }, // Broadcast Node
  { typeId: 2871, quantity: 8 }, // Recursive Computing Module
  { typeId: 2872, quantity: 8 }, // Self-Harmonizing Power Core
  { typeId: 2876, quantity: 8 } // Wetware Mainframe
]
