/** Static data and prices for tests of the rules, made up. */
import type { CustomPrice, DailyAverage, Day, MarketFacts } from "../../src/domain/Market.ts"
import type { StaticFacts, SystemFacts, TypeFacts } from "../../src/domain/StaticData.ts"
import { type WellKnownPrice, wellKnownPrices } from "../../src/domain/WellKnownPrices.ts"

/** A ship that is like no other, but for what is said. */
export const typeOf = (typeId: number, fields: Partial<TypeFacts> = {}): TypeFacts => ({
  typeId,
  name: `Type ${typeId}`,
  groupId: 25,
  categoryId: 6,
  marketGroupIds: [],
  metaGroupId: null,
  dogma: new Map(),
  manufacturing: null,
  ...fields
})

export const factsOf = (
  types: ReadonlyArray<TypeFacts>,
  systems: ReadonlyArray<SystemFacts> = []
): StaticFacts => {
  const byType = new Map(types.map((type) => [type.typeId, type]))
  const bySystem = new Map(systems.map((system) => [system.systemId, system]))
  return { type: (typeId) => byType.get(typeId), system: (systemId) => bySystem.get(systemId) }
}

/** The days before `day`, and `day` itself, newest first: what one unit cost on each. */
export const averagesUpTo = (day: Day, newestFirst: ReadonlyArray<number>): ReadonlyArray<DailyAverage> =>
  newestFirst.map((average, daysAgo) => ({
    day: new Date(Date.parse(day) - daysAgo * 86_400_000).toISOString().slice(0, 10),
    average,
    source: "everef"
  }))

/** Each type had the same price on every day, in ISK. */
export const marketOf = (
  prices: Readonly<Record<number, number>>,
  custom: ReadonlyArray<WellKnownPrice> = []
): MarketFacts => ({
  averages: (typeId, day) => prices[typeId] === undefined ? [] : averagesUpTo(day, [prices[typeId]]),
  custom: customPricesOf(custom)
})

export const customPricesOf = (rows: ReadonlyArray<WellKnownPrice>) => {
  const byType = Map.groupBy(rows, ({ type_id }) => type_id)
  return (typeId: number, day: Day): CustomPrice | undefined =>
    byType.get(typeId)?.find(({ valid_from, valid_until }) =>
      (valid_from === null || valid_from <= day) && (valid_until === null || day <= valid_until)
    )
}

export const wellKnown = customPricesOf(wellKnownPrices)
