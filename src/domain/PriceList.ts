/** What one unit of a type was worth on a day, by which rule and by whose word: zKillboard's rules in their order. Pure. */
import { buildCost, type Priced } from "./BuildCost.ts"
import { type Isk, iskOf } from "./Isk.ts"
import type { CustomPrice, DailyAverage, Day, MarketFacts } from "./Market.ts"
import { priceOfDay, smoothedPrice } from "./SmoothedPrice.ts"
import type { StaticFacts, TypeFacts } from "./StaticData.ts"
import { groupPrices } from "./WellKnownPrices.ts"

/**
 * - `custom`: an operator's or a well-known exception, of the type or its group
 * - `skin`: worth 0.01 ISK
 * - `build`: from its materials
 * - `market`: The Forge's daily averages, smoothed
 * - `abyssal`: a mutated module or drone. No killmail tells its roll and no market trades it, so no price will ever come
 * - `missing`: no price on or before the day
 */
export type PriceRule = "custom" | "skin" | "build" | "market" | "abyssal" | "missing"

export interface UnitPrice extends Priced {
  readonly rule: PriceRule
  /** Whose price it is: of averages the newest one's. */
  readonly day: Day | null
  /** `everef` or `esi`, the reason of an exception, or `materials`. */
  readonly source: string | null
}

export type PriceList = (typeId: number) => UnitPrice

/**
 * Works a type out once, however often it is asked: keep it for all killmails of a day, while the facts are the same. Ask
 * it when all is loaded (`needsOf`): what was missing once stays missing in it.
 */
export const priceList = (day: Day, facts: StaticFacts, market: MarketFacts): PriceList => {
  const known = new Map<number, UnitPrice>()
  const priceOf: PriceList = (typeId) => {
    const before = known.get(typeId)
    if (before !== undefined) return before
    // Should something be made from itself over some steps, it has no price within them.
    known.set(typeId, missing(typeId, undefined))
    const price = findPrice(typeId)
    known.set(typeId, price)
    return price
  }

  const findPrice: PriceList = (typeId) => {
    const type = facts.type(typeId)
    return customPrice(market.custom(typeId, day)) ??
      (type?.categoryId === skinCategory ? skin : undefined) ??
      customPrice(groupPrices.get(type?.groupId ?? 0)) ??
      (isBuiltFirst(type) ? built(type) : undefined) ??
      marketPrice(market.averages(typeId, day), type) ??
      missing(typeId, type)
  }

  const customPrice = (custom: CustomPrice | undefined): UnitPrice | undefined => {
    const price = custom && iskOf(custom.price)
    return custom && price !== undefined
      ? { price, unpriced: [], rule: "custom", day, source: custom.reason }
      : undefined
  }

  const built = (type: TypeFacts | undefined): UnitPrice | undefined => {
    const cost = type && buildCost(type, priceOf)
    return cost && cost.price > nearlyNothing ? { ...cost, rule: "build", day, source: "materials" } : undefined
  }

  /** What the market gives away is worth what it costs to build, but never more than on the very day. */
  const marketPrice = (
    averages: ReadonlyArray<DailyAverage>,
    type: TypeFacts | undefined
  ): UnitPrice | undefined => {
    const mean = smoothedPrice(averages)
    const traded = mean === undefined ? undefined : marketAt(mean, averages[0])
    const price = mean !== undefined && mean > nearlyNothing ? traded : built(type) ?? traded
    const today = priceOfDay(averages, day)
    return price && today !== undefined && today < price.price ? marketAt(today, averages[0]) : price
  }

  return priceOf
}

/** The types whose averages and exceptions are asked for to price these: themselves and, where they count as built, their parts. */
export const pricesNeeded = (
  typeIds: Iterable<number>,
  day: Day,
  facts: StaticFacts,
  market: MarketFacts
): ReadonlySet<number> => {
  const asked = new Set<number>()
  const priceOf = priceList(day, facts, {
    averages: (typeId, day) => (asked.add(typeId), market.averages(typeId, day)),
    custom: (typeId, day) => (asked.add(typeId), market.custom(typeId, day))
  })
  for (const typeId of typeIds) priceOf(typeId)
  return asked
}

const skinCategory = 91
const structureModuleCategory = 66
const moduleCategory = 7
const droneCategory = 18
const titans = 30
const supercarriers = 659
const abyssalMetaGroup = 15

/** A hundredth: what zKillboard says of things without worth. */
export const nearlyNothing: Isk = 1n

const skin: UnitPrice = { price: nearlyNothing, unpriced: [], rule: "skin", day: null, source: null }

const marketAt = (price: Isk, newest: DailyAverage | undefined): UnitPrice => ({
  price,
  unpriced: [],
  rule: "market",
  day: newest?.day ?? null,
  source: newest?.source ?? null
})

/** Their owners rarely trade them on the market. */
const isBuiltFirst = (type: TypeFacts | undefined): boolean =>
  type?.groupId === titans || type?.groupId === supercarriers || type?.categoryId === structureModuleCategory

const missing = (typeId: number, type: TypeFacts | undefined): UnitPrice => ({
  price: 0n,
  unpriced: [typeId],
  rule: type?.metaGroupId === abyssalMetaGroup &&
      (type.categoryId === moduleCategory || type.categoryId === droneCategory)
    ? "abyssal"
    : "missing",
  day: null,
  source: null
})
