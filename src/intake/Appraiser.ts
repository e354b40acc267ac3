/**
 * What a killmail was worth and what it meant, from what is known at this moment. Nothing is asked over HTTP here: what the
 * static data lack is learned later, a price that is missing is counted, and the killmail is valued again when it arrives.
 */
import { Context, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import { type Appraisal, judge, needsOf } from "../domain/Judgement.ts"
import type { Killmail } from "../domain/Killmail.ts"
import type { Day, MarketFacts } from "../domain/Market.ts"
import { type PriceList, priceList, pricesNeeded } from "../domain/PriceList.ts"
import { itemRows } from "../domain/Rows.ts"
import type { StaticFacts } from "../domain/StaticData.ts"
import { priceDay } from "../domain/Valuation.ts"
import { Prices } from "../prices/Prices.ts"
import { StaticData } from "../static-data/StaticData.ts"

/** Days whose price lists are kept; live killmails are of one or two, a backfill's of few at a time. */
const mostDays = 16

export class Appraiser extends Context.Service<Appraiser, {
  readonly appraise: (killmail: Killmail) => Effect.Effect<Appraisal, SqlError.SqlError>
  /** As `appraise`, with one question to the database for all of them. */
  readonly appraiseAll: (
    killmails: ReadonlyArray<Killmail>
  ) => Effect.Effect<ReadonlyArray<Appraisal>, SqlError.SqlError>
}>()("killmaild/intake/Appraiser") {
  static readonly layer = Layer.effect(
    Appraiser,
    Effect.gen(function*() {
      const staticData = yield* StaticData
      const prices = yield* Prices
      let lists: PriceLists | undefined

      /** The day's price list, once all is loaded that this killmail makes it ask for. */
      const priceListFor = Effect.fnUntraced(function*(
        killmail: Killmail,
        lost: ReadonlyArray<number>,
        facts: StaticFacts
      ) {
        const day = priceDay(killmail)
        let market = yield* prices.factsFor([])
        for (;;) {
          lists = stillTrue(lists, facts, market)
          const list = listOf(lists, day)
          if (lost.every((typeId) => list.loaded.has(typeId))) return list.priceOf
          const needs = [...needsOf(killmail, facts, market).prices].filter((typeId) => !list.loaded.has(typeId))
          // The rest is worth the same whatever its type costs: a copy of a blueprint, say.
          if (needs.length === 0) return list.priceOf
          market = yield* prices.factsFor(needs.map((typeId) => ({ typeId, day })))
          for (const typeId of needs) list.loaded.add(typeId)
        }
      })

      const appraise: Appraiser["Service"]["appraise"] = Effect.fnUntraced(function*(killmail) {
        const { solar_system_id, victim: { position } } = killmail
        const lost = typesLost(killmail)
        const { facts, missing } = yield* staticData.factsFor({
          typeIds: [...lost, ...typesFlown(killmail)],
          systemIds: [solar_system_id]
        })
        const judgement = judge(killmail, yield* priceListFor(killmail, lost, facts), facts)
        yield* staticData.learn(missing)
        const isPlaced = position !== undefined && facts.system(solar_system_id) !== undefined
        const locationId = isPlaced ? yield* staticData.nearest(solar_system_id, position) : null
        const isProvisional = missing.typeIds.length + missing.systemIds.length > 0
        return { ...judgement, locationId, isProvisional }
      })

      /** What is asked for here is at hand when each of them is appraised. */
      const ask = Effect.fnUntraced(function*(killmails: ReadonlyArray<Killmail>) {
        const { facts } = yield* staticData.factsFor({
          typeIds: [...new Set(killmails.flatMap((killmail) => [...typesLost(killmail), ...typesFlown(killmail)]))],
          systemIds: killmails.map(({ solar_system_id }) => solar_system_id)
        })
        const market = yield* prices.factsFor([])
        const days = Map.groupBy(killmails, priceDay)
        yield* prices.factsFor([...days].flatMap(([day, killmails]) => {
          const lost = new Set(killmails.flatMap(typesLost))
          return [...pricesNeeded(lost, day, facts, market)].map((typeId) => ({ typeId, day }))
        }))
      })

      const appraiseAll: Appraiser["Service"]["appraiseAll"] = (killmails) =>
        Effect.andThen(ask(killmails), Effect.forEach(killmails, appraise))

      return Appraiser.of({ appraise, appraiseAll })
    })
  )
}

const typesLost = ({ victim: { items = [], ship_type_id } }: Killmail): ReadonlyArray<number> => [
  ship_type_id,
  ...itemRows(items).map(({ item_type_id }) => item_type_id)
]

const typesFlown = ({ attackers }: Killmail): ReadonlyArray<number> =>
  attackers.flatMap(({ ship_type_id }) => ship_type_id ?? [])

/** What was worked out from these facts; others make all of it void. */
interface PriceLists {
  readonly facts: StaticFacts
  readonly market: MarketFacts
  readonly days: Map<Day, { readonly priceOf: PriceList; readonly loaded: Set<number> }>
}

const stillTrue = (lists: PriceLists | undefined, facts: StaticFacts, market: MarketFacts): PriceLists =>
  lists?.facts === facts && lists.market === market && lists.days.size < mostDays
    ? lists
    : { facts, market, days: new Map() }

const listOf = ({ days, facts, market }: PriceLists, day: Day) => {
  const kept = days.get(day)
  if (kept !== undefined) return kept
  const list = { priceOf: priceList(day, facts, market), loaded: new Set<number>() }
  days.set(day, list)
  return list
}
