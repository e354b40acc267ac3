/** Metrics of everything asked of ESI. */
import { Effect, Metric } from "effect"

const requests = Metric.counter("killmaild_esi_requests_total", {
  description: "Requests sent to ESI, by route and status (or `timeout`, `socket`)",
  incremental: true
})
const seconds = Metric.histogram("killmaild_esi_request_seconds", {
  description: "Time until ESI's answer was read whole, or until it failed",
  boundaries: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]
})
const cache = Metric.counter("killmaild_esi_cache_total", {
  description: "Bodies wanted from ESI that were here already (hit) or not (miss)",
  incremental: true
})
const hits = Metric.counter("killmaild_esi_rate_limit_hits_total", {
  description: "Refusals by ESI (420, 429) and by our own budget",
  incremental: true
})
const remaining = Metric.gauge("killmaild_esi_tokens_remaining", {
  description: "Tokens left in the present window, all replicas counted"
})
const paused = Metric.gauge("killmaild_esi_paused", {
  description: "1 while this bucket was last seen paused"
})

export const countRequest = (route: string, status: string, millis: number): Effect.Effect<void> =>
  Effect.andThen(
    Metric.update(Metric.withAttributes(requests, { route, status }), 1),
    Metric.update(Metric.withAttributes(seconds, { route }), millis / 1000)
  )

export const countCache = (result: "hit" | "miss"): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(cache, { result }), 1)

export const countRateLimitHit = (kind: "420" | "429" | "budget"): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(hits, { kind }), 1)

export const setTokensRemaining = (group: string, tokens: number): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(remaining, { group }), tokens)

export const setPaused = (bucket: string, isPaused: boolean): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(paused, { bucket }), isPaused ? 1 : 0)
