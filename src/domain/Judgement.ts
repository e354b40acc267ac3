/** All that the rules say about a killmail, and what must be loaded before they are asked. Pure. */
import { type Flags, flagsOf } from "./Flags.ts"
import type { Killmail } from "./Killmail.ts"
import { labelsOf } from "./Labels.ts"
import type { Day, MarketFacts } from "./Market.ts"
import { pointsOf } from "./Points.ts"
import { type PriceList, priceList } from "./PriceList.ts"
import type { StaticFacts } from "./StaticData.ts"
import { priceDay, type Valuation, valuationOf } from "./Valuation.ts"

export interface Judgement extends Flags {
  readonly valuation: Valuation
  readonly points: number
  readonly labels: ReadonlyArray<string>
}

/** `priceOf` is the price list of `priceDay(killmail)`. */
export const judge = (killmail: Killmail, priceOf: PriceList, facts: StaticFacts): Judgement => {
  const flags = flagsOf(killmail, facts)
  const valuation = valuationOf(killmail, priceOf, facts)
  return {
    ...flags,
    valuation,
    points: pointsOf(killmail, flags.npc, facts),
    labels: labelsOf(killmail, flags, valuation.total, facts)
  }
}

export interface Appraisal extends Judgement {
  /** The celestial, gate or station next to the wreck; null where the position or the system's celestials are unknown. */
  readonly locationId: number | null
  /** Some type or the system was not known: the static data may say otherwise when they come to know it. */
  readonly isProvisional: boolean
}

export interface Needs {
  /** Ids of types whose facts are asked for. */
  readonly types: ReadonlySet<number>
  /** Ids of types whose averages and exceptions on `day` are asked for. */
  readonly prices: ReadonlySet<number>
  readonly day: Day
}

/**
 * What the rules ask for, given what is loaded so far. Load what is new in it and ask again, until nothing is. What has no
 * price yet counts as built, so the first answer has all its materials too, and with static data at hand no other follows.
 */
export const needsOf = (killmail: Killmail, facts: StaticFacts, market: MarketFacts): Needs => {
  const day = priceDay(killmail)
  const types = new Set<number>()
  const prices = new Set<number>()
  const asking: StaticFacts = {
    type: (typeId) => (types.add(typeId), facts.type(typeId)),
    system: (systemId) => facts.system(systemId)
  }
  const askingMarket: MarketFacts = {
    averages: (typeId, day) => (prices.add(typeId), market.averages(typeId, day)),
    custom: (typeId, day) => (prices.add(typeId), market.custom(typeId, day))
  }
  judge(killmail, priceList(day, asking, askingMarket), asking)
  return { types, prices, day }
}
