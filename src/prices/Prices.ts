/**
 * What valuations ask of the market, kept in memory: a killmail's job waits for Postgres only when it holds a type that no
 * killmail of its day held before, and never for anybody else.
 */
import { Clock, Context, Effect, Layer, Semaphore } from "effect"
import type { SqlError } from "effect/sql"
import type { Day, MarketFacts } from "../domain/Market.ts"
import { type PriceFacts, type PriceNeed, PriceStore } from "../store/PriceStore.ts"

/** Needs that are kept, at about 2 kB each. A day of New Eden has some 6,000. */
const mostKept = 20_000
/** Between looks whether prices have arrived. */
const freshMillis = 1000

export class Prices extends Context.Service<Prices, {
  /**
   * What is known of these types on these days; of anything else it answers that there is no price. Not older than a
   * second. The same object is given as long as no prices arrive, and learns more with every call: what is worked out
   * from it may be kept beside it.
   */
  readonly factsFor: (needs: ReadonlyArray<PriceNeed>) => Effect.Effect<MarketFacts, SqlError.SqlError>
  /** From here on facts know all that has arrived so far: before anything is valued anew because of it. */
  readonly refresh: Effect.Effect<void, SqlError.SqlError>
}>()("killmaild/prices/Prices") {
  static readonly layer = Layer.effect(
    Prices,
    Effect.gen(function*() {
      const store = yield* PriceStore
      const clock = yield* Clock.Clock
      const one = yield* Semaphore.make(1)
      let known = makeKnown()
      let version: number | undefined
      let lookedAt = Number.NEGATIVE_INFINITY

      const isFresh = () => clock.currentTimeMillisUnsafe() - lookedAt < freshMillis

      const look = Effect.gen(function*() {
        const asked = clock.currentTimeMillisUnsafe()
        const present = yield* store.version
        if (present !== version) known = makeKnown()
        version = present
        lookedAt = asked
      })

      /** Of all that ask at the same moment, one looks. */
      const lookUnlessFresh = one.withPermit(Effect.suspend(() => isFresh() ? Effect.void : look))

      const present: Prices["Service"]["factsFor"] = (needs) =>
        Effect.suspend(() => {
          if (known.size() > mostKept) known = makeKnown()
          // An answer is kept with what was known when the question went out, as it may be older than the next version.
          const { has, keep, market } = known
          const missing = needs.filter((need) => !has(need))
          return missing.length === 0
            ? Effect.succeed(market)
            : Effect.map(store.factsFor(missing), (facts) => {
              facts.forEach(keep)
              return market
            })
        })

      return Prices.of({
        factsFor: (needs) =>
          Effect.suspend(() => isFresh() ? present(needs) : Effect.andThen(lookUnlessFresh, present(needs))),
        refresh: one.withPermit(look)
      })
    })
  )
}

/** Facts of one version of the prices. */
const makeKnown = () => {
  const days = new Map<Day, Map<number, PriceFacts>>()
  let size = 0
  const get = (typeId: number, day: Day) => days.get(day)?.get(typeId)
  const market: MarketFacts = {
    averages: (typeId, day) => get(typeId, day)?.averages ?? [],
    custom: (typeId, day) => get(typeId, day)?.custom
  }
  return {
    market,
    size: () => size,
    has: ({ day, typeId }: PriceNeed) => get(typeId, day) !== undefined,
    keep: (facts: PriceFacts) => {
      const types = days.get(facts.day) ?? new Map<number, PriceFacts>()
      if (types.size === 0) days.set(facts.day, types)
      if (!types.has(facts.typeId)) size++
      types.set(facts.typeId, facts)
    }
  }
}
