/**
 * ESI's market routes: a type's history in a region, and CCP's list of prices. Neither has a bucket; the history has a limit
 * of its own that no header tells (esi-docs, endpoints/market-history).
 */
import { slidingWindow } from "./Budgets.ts"
import type { Judge } from "./Judge.ts"
import { dayOf, type Market } from "./Market.ts"
import { type Answer, type Ask, json } from "./Upstream.ts"

/** Requests a minute from one address; whoever exceeds it waits a minute. */
const historyLimit = 300
const historyWindow = 60_000
const pricesCache = 3_600_000
const elevenFive = 11 * 3_600_000 + 5 * 60_000
const dayMillis = 86_400_000

const theForge = 10_000_002

export const esiMarkets = (
  market: Market,
  judge: Judge,
  speed: number,
  /** An answer that may be kept for so many milliseconds. */
  cached: (ask: Ask, body: unknown, millis: number) => Answer
) => {
  const requests = slidingWindow(Math.max(1, Math.round(historyLimit * speed)), historyWindow)
  let refusedUntil = 0

  const history = (ask: Ask, regionId: number): Answer => {
    if (ask.at >= refusedUntil && requests.left(ask.at) === 0) {
      judge.accuse(ask, "budget", `more than ${historyLimit * speed} requests for market history within a minute`)
      refusedUntil = ask.at + historyWindow / speed
    }
    if (ask.at < refusedUntil) return json(500, { error: "Too many requests for market history" })
    requests.spend(1, ask.at)
    const typeId = Number(ask.query.get("type_id") ?? Number.NaN)
    if (!Number.isInteger(typeId)) return json(400, { error: "'type_id' is required" })
    const days = [...market.history(typeId, ask.at)].toSorted(([a], [b]) => a - b)
    if (days.length === 0 || regionId !== theForge) return json(404, { error: "Type not found!" })
    const body = days.map(([day, average]) => ({
      average,
      date: dayOf(day),
      highest: Math.round(average * 110) / 100,
      lowest: Math.round(average * 90) / 100,
      order_count: 1 + typeId % 50,
      volume: 1 + typeId % 9_000
    }))
    return cached(ask, body, dayMillis - (ask.at - elevenFive) % dayMillis)
  }

  /** What is not sold has no average, but what CCP would have it cost. */
  const prices = (ask: Ask): Answer => {
    const rows = [...market.listed()].map(([type_id, average]) => ({
      adjusted_price: Math.round(average * 95) / 100,
      ...(average > 0 ? { average_price: average } : {}),
      type_id
    }))
    return cached(ask, rows, pricesCache)
  }

  return { history, prices }
}
