/**
 * ESI's two limiters. A route has one or the other: a bucket of tokens shared by its group, or the old error limit, which
 * all routes without a bucket share and which, used up, closes ESI altogether.
 */
import { fixedWindow, slidingWindow } from "./Budgets.ts"
import type { Judge } from "./Judge.ts"
import { type Answer, type Ask, json, secondsHeader } from "./Upstream.ts"

export interface Limit {
  /** Answers, unless the limit is reached, and writes what is left of it into the headers. */
  readonly apply: (ask: Ask, respond: () => Answer) => Answer
}

/** Buckets refill over a window of 15 minutes. */
const bucketWindow = 15 * 60_000

export const bucketOf = (
  group: string,
  tokens: number,
  speed: number,
  judge: Judge,
  /** What a refusal pauses. */
  scope = `esi ${group}`
): Limit => {
  const windowMillis = Math.max(1, Math.round(bucketWindow / speed))
  const size = Math.max(1, Math.round(tokens * speed))
  const bucket = slidingWindow(size, windowMillis)
  const headers = (remaining: number, used: number) => ({
    "x-ratelimit-group": group,
    "x-ratelimit-limit": `${size}/${windowText(windowMillis)}`,
    "x-ratelimit-remaining": String(remaining),
    "x-ratelimit-used": String(used)
  })
  return {
    apply: (ask, respond) => {
      if (bucket.left(ask.at) === 0) {
        judge.accuse(ask, "budget", `the ${size} tokens of group ${group} were used up`)
        const wait = Math.max(1, bucket.waitFor(tokensOf(200), ask.at))
        const retryAfter = { "retry-after": secondsHeader(wait, speed) }
        return {
          ...json(429, { error: "Rate limit exceeded" }, { ...headers(0, 0), ...retryAfter }),
          pause: { scope, millis: wait }
        }
      }
      const answer = respond()
      const cost = tokensOf(answer.status)
      bucket.spend(cost, ask.at)
      return { ...answer, headers: { ...answer.headers, ...headers(bucket.left(ask.at), cost) } }
    }
  }
}

export interface ErrorLimit extends Limit {
  /** 420 to everyone on every route, once the errors are used up. */
  readonly refusal: (ask: Ask) => Answer | undefined
}

export const errorLimitOf = (speed: number, judge: Judge): ErrorLimit => {
  const errors = fixedWindow(Math.max(1, Math.round(100 * speed)), 60_000 / speed)
  const headers = (now: number) => ({
    "x-esi-error-limit-remain": String(errors.left(now)),
    "x-esi-error-limit-reset": secondsHeader(errors.reset(now), speed)
  })
  return {
    refusal: (ask) => {
      if (errors.left(ask.at) > 0) return undefined
      judge.accuse(ask, "budget", "the error limit was used up")
      const answer = json(420, { error: "This software has exceeded the error limit for ESI." }, headers(ask.at))
      return { ...answer, pause: { scope: "esi", millis: errors.reset(ask.at) } }
    },
    apply: (ask, respond) => {
      const answer = respond()
      if (answer.status >= 400) errors.spend(ask.at)
      return { ...answer, headers: { ...answer.headers, ...headers(ask.at) } }
    }
  }
}

/** What an answer costs: errors of the client the most, errors of the server nothing. */
const tokensOf = (status: number): number =>
  status >= 500 || status === 429 ? 0 : status >= 400 ? 5 : status >= 300 ? 1 : 2

/** `15m`, as ESI writes it; a window that speed made shorter in the largest unit that fits, down to `ms`. */
const windowText = (millis: number): string =>
  millis % 60_000 === 0 ? `${millis / 60_000}m` : millis % 1000 === 0 ? `${millis / 1000}s` : `${millis}ms`
