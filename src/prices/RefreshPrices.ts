/**
 * Keeps prices up to date, once a day: what EVE Ref published or edited lately, CCP's list, and from ESI the history of what
 * was lost and has no price at all. A fresh daemon begins with it, in the background.
 */
import { Clock, Effect, Schema } from "effect"
import type { Range } from "../domain/Days.ts"
import { type EsiError, isOfWhatIsAsked } from "../esi/EsiError.ts"
import { EsiMarkets } from "../esi/EsiMarkets.ts"
import { explainEsi } from "../esi/ExplainEsi.ts"
import { explainSql } from "../ExplainSql.ts"
import * as Job from "../jobs/Job.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { handle } from "../jobs/JobRunner.ts"
import { PriceImports } from "../store/PriceImports.ts"
import { type UpstreamError, UpstreamUnavailable } from "../upstreams/PoliteClient.ts"
import { importFromEveRef, type Options } from "./ImportPrices.ts"
import { marketOf } from "./MarketHistory.ts"

/** Days before today that are kept current: a few more than the rule smooths. */
const daysKept = 40
const dayMillis = 86_400_000
/** Types that one run asks ESI about. */
const mostTypes = 500

const RefreshPrices = Job.make({
  name: "refresh_prices",
  payload: Schema.Struct({}),
  key: () => "refresh_prices",
  tier: "backfill",
  every: dayMillis,
  deadlineMillis: 3_600_000
})

/** ESI's part, apart from the other as it comes back whenever ESI's budget does. */
const FetchPriceHistory = Job.make({
  name: "fetch_price_history",
  payload: Schema.Struct({}),
  key: () => "fetch_price_history",
  tier: "backfill",
  deadlineMillis: 1_800_000
})

/** The days that `refreshPrices` looks after. EVE Ref has no file of today before tomorrow. */
export const recentDays: Effect.Effect<Range> = Effect.map(Clock.currentTimeMillis, (now) => ({
  first: dayOf(now - daysKept * dayMillis),
  last: dayOf(now)
}))

const dayOf = (millis: number): string => new Date(millis).toISOString().slice(0, 10)

/** CCP's list says which types are traded. Returns how many it has; none when it was asked for within the hour. */
export const refreshCcpPrices = Effect.gen(function*() {
  const prices = yield* (yield* EsiMarkets).prices
  if (prices !== undefined) yield* (yield* PriceImports).putCcpPrices(prices)
  return prices?.length ?? 0
})

/** Asks ESI about one type. What it does not know is remembered, as each such answer counts as an error. */
export const fetchHistory = Effect.fnUntraced(function*(typeId: number) {
  const store = yield* PriceImports
  const history = yield* (yield* EsiMarkets).history(marketOf(typeId), typeId).pipe(
    Effect.catchTag("EsiError", (error) => isOfWhatIsAsked(error) ? Effect.succeed([]) : Effect.fail(error))
  )
  const sold = history.filter(({ average }) => average > 0)
  return yield* store.addHistory(typeId, sold.map(({ average, date }) => ({ day: date, average })))
})

export const typesToAsk = Effect.flatMap(PriceImports, (store) => store.typesToAsk(mostTypes))

const inTheBackground: Options = {
  onProgress: () => Effect.void,
  onPause: Effect.fail
}

const refreshPrices = handle(RefreshPrices, () =>
  Effect.gen(function*() {
    const everef = yield* importFromEveRef(yield* recentDays, inTheBackground).pipe(
      Effect.catchTag("UpstreamUnavailable", (error) => Effect.succeed(error))
    )
    // Without EVE Ref, ESI still has the dearest of what was lost.
    const ccp_prices = yield* refreshCcpPrices
    yield* (yield* JobQueue).add(FetchPriceHistory, {})
    if (everef instanceof UpstreamUnavailable) return yield* everef
    if (everef.unreadable.length > 0) {
      return yield* new UpstreamUnavailable({ message: everef.unreadable.join(" ") })
    }
    return { days: everef.imported, prices: everef.prices, ccp_prices }
  }).pipe(Effect.mapError(explain), Effect.interruptible))

const fetchPriceHistory = handle(FetchPriceHistory, () =>
  Effect.gen(function*() {
    const types = yield* typesToAsk
    const prices = yield* Effect.forEach(types, fetchHistory)
    return { types: types.length, prices: prices.reduce((sum, each) => sum + each, 0) }
  }).pipe(Effect.mapError(explain), Effect.interruptible))

export const handlers = [refreshPrices, fetchPriceHistory]

const explain = (error: UpstreamError | EsiError): Job.JobError => {
  switch (error._tag) {
    case "UpstreamPaused":
      return new Job.JobPostponed({ delayMillis: error.waitMillis, message: error.message })
    case "UpstreamUnavailable":
      return new Job.JobFailed({ reason: "everef_unavailable", message: error.message })
    case "EsiError":
      return explainEsi(error)
    case "SqlError":
      return explainSql(error)
  }
}
