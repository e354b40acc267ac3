/** What ESI knows of prices: a type's history in one market, and CCP's own list. */
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { RateLimits } from "../store/RateLimits.ts"
import { makeAsk } from "./Ask.ts"
import { decoder } from "./EsiAnswer.ts"
import { EsiClient } from "./EsiClient.ts"
import { EsiError, EsiPaused } from "./EsiError.ts"
import { Tranquility, tranquilityBucket } from "./Tranquility.ts"

/** One day; days without a sale are absent. */
const HistoryDay = Schema.Struct({
  date: Schema.String.check(Schema.isPattern(/^\d{4}-\d\d-\d\d$/)),
  average: Schema.Finite
})
export type HistoryDay = typeof HistoryDay.Type

/** ISK a unit; either may be absent. The average is CCP's own over all of New Eden, of days that they do not name. */
const ListedPrice = Schema.Struct({
  type_id: Schema.Int,
  adjusted_price: Schema.optionalKey(Schema.Finite),
  average_price: Schema.optionalKey(Schema.Finite)
})
export type ListedPrice = typeof ListedPrice.Type

/**
 * 300 requests a minute are allowed from one address, which no header tells; beyond them ESI answers 500 for a minute
 * (esi-docs, endpoints/market-history). Ours are few, as each 404 is one of the 100 errors a minute that close all of ESI.
 */
const historyBudget = { bucket: "esi:market-history", limit: 30, windowMillis: 60_000 }
const refusedMillis = 60_000
/** ESI keeps the list for an hour. */
const pricesMillis = 3_600_000
const pricesPath = "/markets/prices"
const pricesBucket = `esi:${pricesPath}`

const historyRoute = { route: "/markets/{region_id}/history", pausedBy: [tranquilityBucket] }
const pricesRoute = { route: pricesPath, path: pricesPath, pausedBy: [tranquilityBucket] }

/** Fails with `EsiPaused` rather than wait: reschedule by its `waitMillis`. */
export class EsiMarkets extends Context.Service<EsiMarkets, {
  /** About 13 months up to the day before yesterday or so, in no order; fails with `EsiNotFound` for a type never sold there. */
  readonly history: (
    regionId: number,
    typeId: number
  ) => Effect.Effect<ReadonlyArray<HistoryDay>, EsiError | SqlError.SqlError>
  /** Nothing while the list that any replica asked for last is still fresh. */
  readonly prices: Effect.Effect<ReadonlyArray<ListedPrice> | undefined, EsiError | SqlError.SqlError>
}>()("killmaild/esi/EsiMarkets") {
  static readonly layer = Layer.effect(
    EsiMarkets,
    Effect.gen(function*() {
      const ask = yield* makeAsk
      const limits = yield* RateLimits

      const history: EsiMarkets["Service"]["history"] = Effect.fn("EsiMarkets.history")(function*(regionId, typeId) {
        const path = `/markets/${regionId}/history?type_id=${typeId}`
        const waitMillis = yield* limits.take({ ...historyBudget, tokens: 1 })
        if (waitMillis > 0) {
          const why = "the budget of market history is spent."
          return yield* new EsiError({ reason: new EsiPaused({ path, bucket: historyBudget.bucket, waitMillis, why }) })
        }
        return yield* ask({ ...historyRoute, path }, decodeHistory(path)).pipe(
          Effect.tapErrorTag("EsiError", ({ reason }) =>
            reason._tag === "EsiUnavailable" && reason.status === 500
              ? limits.pause({ bucket: historyBudget.bucket, millis: refusedMillis, reason: reason.message })
              : Effect.void)
        )
      })

      const prices = Effect.gen(function*() {
        if (!(yield* limits.claimProbe({ bucket: pricesBucket, millis: pricesMillis }))) return undefined
        return yield* ask(pricesRoute, decodePrices(pricesPath)).pipe(
          Effect.tapError(() => limits.scheduleProbe({ bucket: pricesBucket, millis: 0 }))
        )
      }).pipe(Effect.withSpan("EsiMarkets.prices"))

      return EsiMarkets.of({ history, prices })
    })
  ).pipe(Layer.provide(Layer.provideMerge(Tranquility.layer, EsiClient.layer)))
}

const decodeHistory = decoder(Schema.Array(HistoryDay))
const decodePrices = decoder(Schema.Array(ListedPrice))
