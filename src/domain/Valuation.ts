/** What a loss was worth in ISK, item by item. zKillboard's rules, but a missing price counts 0 and is told. Pure. */
import type { Priced } from "./BuildCost.ts"
import { type Isk, largestIsk } from "./Isk.ts"
import type { Killmail } from "./Killmail.ts"
import type { Day } from "./Market.ts"
import { nearlyNothing, type PriceList, type PriceRule } from "./PriceList.ts"
import { type ItemRow, itemRows } from "./Rows.ts"
import type { StaticFacts } from "./StaticData.ts"

/** Rises with every change of a rule, so that what was valued by older ones can be found. */
export const valuationVersion = 1

/**
 * How an item's price was found: as its type's (`PriceRule`), or
 * - `blueprint_copy`, `golden_pod`, `frigate_bay`: worth 0.01 ISK, whatever the type costs. The implant of the golden
 *   capsule and the frigate in a battleship's bay are not lost with the ship
 * - `container`: a wrap that no market trades; it is worth what it holds. Other containers have a price of their own
 */
export type ValuationRule = PriceRule | "blueprint_copy" | "golden_pod" | "frigate_bay" | "container"

/** `price` is ISK a unit; `unpriced` names the item itself or materials of it. */
export interface ValuedLine extends Priced {
  /** The item's, as in `itemRows`; null is the hull. */
  readonly ordinal: number | null
  readonly parent_ordinal: number | null
  readonly item_type_id: number
  readonly flag: number | null
  /** As they count: what a container holds shares the container's fate. */
  readonly quantity_dropped: number
  readonly quantity_destroyed: number
  readonly rule: ValuationRule
  readonly day: Day | null
  readonly source: string | null
}

export interface Valuation {
  /** Whose prices count. */
  readonly day: Day
  readonly lines: ReadonlyArray<ValuedLine>
  readonly destroyed: Isk
  readonly dropped: Isk
  /** The hull and what was in slots, rigs, subsystems and fighter tubes, destroyed or dropped. */
  readonly fitted: Isk
  readonly total: Isk
  /** How many types on the mail have no price, or one of which a part is missing. */
  readonly unpriced_items: number
}

/** The UTC day of the kill, but the first hour of a day (3,601 s) still belongs to the one before: zKillboard's rule. */
export const priceDay = (killmail: Killmail): Day =>
  new Date(Date.parse(killmail.killmail_time) - 3_601_000).toISOString().slice(0, 10)

/** `priceOf` is the price list of `priceDay(killmail)`. */
export const valuationOf = (killmail: Killmail, priceOf: PriceList, facts: StaticFacts): Valuation => {
  const lines = [hullLine(killmail, priceOf), ...itemLines(killmail, priceOf, facts)]
  const destroyed = sumOf(lines, ({ quantity_destroyed }) => quantity_destroyed)
  const dropped = sumOf(lines, ({ quantity_dropped }) => quantity_dropped)
  const fitted = sumOf(lines.filter(isFitted), (line) => line.quantity_destroyed + line.quantity_dropped)
  return {
    day: priceDay(killmail),
    lines,
    destroyed,
    dropped,
    fitted: atMost(destroyed + dropped, fitted),
    total: destroyed + dropped,
    unpriced_items: new Set(lines.flatMap((line) => line.unpriced.length > 0 ? [line.item_type_id] : [])).size
  }
}

const hullLine = ({ victim }: Killmail, priceOf: PriceList): ValuedLine => ({
  ordinal: null,
  parent_ordinal: null,
  item_type_id: victim.ship_type_id,
  flag: null,
  quantity_dropped: 0,
  quantity_destroyed: 1,
  ...priceOf(victim.ship_type_id)
})

const itemLines = (killmail: Killmail, priceOf: PriceList, facts: StaticFacts): ReadonlyArray<ValuedLine> => {
  const lines: Array<ValuedLine> = []
  for (const row of itemRows(killmail.victim.items ?? [])) {
    const { flag, item_type_id, ordinal, parent_ordinal } = row
    lines.push({
      ordinal,
      parent_ordinal,
      item_type_id,
      flag,
      ...quantitiesOf(row, parent_ordinal === null ? undefined : lines[parent_ordinal]),
      ...(fixedPrice(killmail, row, facts) ?? priceOf(item_type_id))
    })
  }
  return lines
}

const quantitiesOf = (row: ItemRow, container: ValuedLine | undefined) => {
  const dropped = countOf(row.quantity_dropped)
  const destroyed = countOf(row.quantity_destroyed)
  const containerDropped = container !== undefined && container.quantity_dropped > 0
  const containerDestroyed = container !== undefined && container.quantity_destroyed > 0
  if (containerDropped === containerDestroyed) return { quantity_dropped: dropped, quantity_destroyed: destroyed }
  return containerDropped
    ? { quantity_dropped: dropped + destroyed, quantity_destroyed: 0 }
    : { quantity_dropped: 0, quantity_destroyed: dropped + destroyed }
}

const countOf = (quantity: number | null): number => Math.max(0, quantity ?? 0)

type LinePrice = Pick<ValuedLine, "price" | "unpriced" | "rule" | "day" | "source">

const blueprintCategory = 9
const copiedBlueprint = 2
const implantSlot = 89
const frigateBay = 179
/** Genolution 'Auroral' AU-79. */
const goldenPodImplant = 33_329
/** Asset Safety Wrap, and Plastic Wrap, in which couriers carry. */
const wraps: ReadonlySet<number> = new Set([60, 3468])

/** Mails before this one do not tell blueprint copies from originals: zKillboard takes all for copies. */
const firstWithCopies = 21_112_472

const fixedPrice = ({ killmail_id }: Killmail, row: ItemRow, facts: StaticFacts): LinePrice | undefined => {
  if (row.singleton === copiedBlueprint) return fixedAt(nearlyNothing, "blueprint_copy")
  if (killmail_id < firstWithCopies && facts.type(row.item_type_id)?.categoryId === blueprintCategory) {
    return fixedAt(nearlyNothing, "blueprint_copy")
  }
  if (row.item_type_id === goldenPodImplant && row.flag === implantSlot) return fixedAt(nearlyNothing, "golden_pod")
  if (row.flag === frigateBay) return fixedAt(nearlyNothing, "frigate_bay")
  return wraps.has(row.item_type_id) ? fixedAt(0n, "container") : undefined
}

const fixedAt = (price: Isk, rule: ValuationRule): LinePrice => ({ price, unpriced: [], rule, day: null, source: null })

const isFitted = ({ flag, parent_ordinal }: ValuedLine): boolean =>
  flag === null || (parent_ordinal === null && fittedFlags.some(([first, last]) => flag >= first && flag <= last))

const fittedFlags: ReadonlyArray<readonly [first: number, last: number]> = [
  [11, 34], // low, middle and high slots
  [92, 98], // rigs
  [125, 132], // subsystems
  [159, 163] // fighter tubes
]

/** Half of what a column holds, so that two such sums fit into one: more is no killmail of EVE. */
const sumOf = (lines: ReadonlyArray<ValuedLine>, quantityOf: (line: ValuedLine) => number): Isk => {
  let sum = 0n
  for (const line of lines) {
    const quantity = quantityOf(line)
    if (quantity > 0) sum += line.price * BigInt(quantity)
  }
  return atMost(largestIsk / 2n, sum)
}

const atMost = (most: Isk, isk: Isk): Isk => isk < most ? isk : most
