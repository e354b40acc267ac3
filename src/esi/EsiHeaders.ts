/** What ESI says about budgets and freshness in its headers (esi-docs: rate-limiting, best-practices). Pure. */
import { longestMillis, serverNow } from "../RetryAfter.ts"
import type { Told } from "../store/RateLimits.ts"

type Headers = Readonly<Record<string, string | undefined>>

const unitMillis: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** A number that is written out, not negative and finite; `undefined` for anything else. */
const amount = (text: string | undefined): number | undefined => {
  const value = text === undefined || text.trim() === "" ? Number.NaN : Number(text)
  return Number.isFinite(value) && value >= 0 ? value : undefined
}

/** `3600/15m`: tokens and the window they are for. The sandbox writes `3600000/900ms` at speed 1000. */
export const parseLimit = (
  text: string
): { readonly limit: number; readonly windowMillis: number } | undefined => {
  const match = /^\s*(\d+(?:\.\d+)?)\s*\/\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)\s*$/.exec(text)
  if (match === null) return undefined
  const limit = Number(match[1])
  const windowMillis = Number(match[2]) * unitMillis[match[3]!]!
  return limit > 0 && limit <= 1e9 && windowMillis >= 1 && windowMillis <= 1e10
    ? { limit, windowMillis }
    : undefined
}

/** The token bucket this answer was counted in. */
export interface TokenHeaders {
  readonly group: string
  readonly told: Told | undefined
  /** Tokens of this very request. */
  readonly used: number | undefined
}

export const readTokens = (headers: Headers): TokenHeaders | undefined => {
  const group = headers["x-ratelimit-group"]?.trim()
  if (group === undefined || group === "") return undefined
  const budget = parseLimit(headers["x-ratelimit-limit"] ?? "")
  const remaining = amount(headers["x-ratelimit-remaining"])
  return {
    group,
    told: budget === undefined || remaining === undefined ? undefined : { ...budget, remaining },
    used: amount(headers["x-ratelimit-used"])
  }
}

/** The older error limit: errors that it still allows. */
export const readErrorsLeft = (headers: Headers): number | undefined => amount(headers["x-esi-error-limit-remain"])

/** Milliseconds until the older error limit counts anew. */
export const readErrorReset = (headers: Headers): number | undefined => {
  const seconds = amount(headers["x-esi-error-limit-reset"])
  return seconds === undefined ? undefined : Math.min(seconds * 1000, longestMillis)
}

/** Milliseconds during which asking again is forbidden: `max-age` minus `Age`, else `Expires` minus `Date`. */
export const readFreshness = (headers: Headers, nowMillis: number): number | undefined => {
  const maxAge = amount(/(?:^|[,\s])max-age=([\d.]+)/i.exec(headers["cache-control"] ?? "")?.[1])
  if (maxAge !== undefined) return Math.max(maxAge - (amount(headers["age"]) ?? 0), 0) * 1000
  const expires = Date.parse(headers["expires"] ?? "")
  return Number.isNaN(expires) ? undefined : Math.max(expires - serverNow(headers, nowMillis), 0)
}

/** Dates in headers are whole seconds, so that an answer may be fresh for so much longer than they tell. */
const roundingMillis = 1000

/** Milliseconds after which an answer surely is no longer fresh; `unsaidMillis` is for one that does not say. */
export const freshMillisOf = (headers: Headers, nowMillis: number, unsaidMillis: number): number =>
  (readFreshness(headers, nowMillis) ?? unsaidMillis) + roundingMillis

/** Tokens an answer costs where it does not say so itself. */
export const tokensFor = (status: number): number =>
  status === 429 || status >= 500 ? 0 : status >= 400 ? 5 : status >= 300 ? 1 : 2
