/**
 * One request to ESI: let through by the budgets and pauses that all replicas share, sent under a deadline, its headers
 * learnt from, its status told as a reason. No retries here (Esi.ts).
 */
import { Cause, Clock, Context, Effect, Layer, Option, Random, Redacted, Semaphore } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import type { SqlError } from "effect/sql"
import { boundedText } from "../BoundedText.ts"
import { crashPoint } from "../CrashPoint.ts"
import { retryAfterMillis } from "../RetryAfter.ts"
import { Settings, userAgentFor } from "../Settings.ts"
import { isOfPilot, RateLimits, type Reservation } from "../store/RateLimits.ts"
import { type EsiAnswer, problemOf } from "./EsiAnswer.ts"
import { EsiError, EsiPaused, EsiUnavailable } from "./EsiError.ts"
import { readErrorReset, readErrorsLeft, readTokens, tokensFor } from "./EsiHeaders.ts"
import { countRateLimitHit, countRequest, setPaused, setTokensRemaining } from "./EsiMetrics.ts"

/** The pilot in whose name something is asked. ESI counts each of them apart. */
export interface Bearer {
  readonly characterId: number
  readonly token: Redacted.Redacted
}

/** A token bucket of ESI: default budget, until headers tell another. */
export interface TokenGroup {
  readonly name: string
  readonly limit: number
  readonly windowMillis: number
}

export interface EsiRequest {
  /** As ESI's documentation names it, such as `/killmails/{killmail_id}/{killmail_hash}`. */
  readonly route: string
  readonly path: string
  /** Sent as JSON by POST; without it the request is a GET. */
  readonly body?: unknown
  /** Absent for routes under the older error limit. */
  readonly group?: TokenGroup
  /** Pauses of these buckets stop it too; those of `errorBucket` stop every request. */
  readonly pausedBy?: ReadonlyArray<string>
  readonly as?: Bearer
  /** Of the answer that is known: while that is true, the next one has the status 304 and no body. */
  readonly etag?: string | undefined
  /** Of a backfill: it does not wait here at all, and comes back in a minute or two where there is no room. */
  readonly isUnhurried?: boolean
}

/** The older error limit. While it is paused (after a 420, or with few errors left) nothing is asked of ESI. */
export const errorBucket = "esi-errors"
/** 100 errors a minute close all of ESI; 20 of them are left to others on this address. */
const errorsSpared = 20
const errorGroup: TokenGroup = { name: errorBucket, limit: 100 - errorsSpared, windowMillis: 60_000 }

/** What a 4xx costs: reserved before every request, settled when the cost is known. */
const worstCost = 5
const deadlineMillis = 15_000
/**
 * Waits up to `patience` are slept here; a caller that would wait longer does something else meanwhile, and where every permit
 * is taken returns after once to twice `returnMillis`.
 */
const hurried = { patience: 1000, returnMillis: 2000 }
const unhurried = { patience: 0, returnMillis: 60_000 }
/** For a 429 or 420 that does not say how long. */
const defaultPauseMillis = 60_000
/** A budget comes back within its window; longer waits are of a pause that has just been lifted. */
const longestWindowMillis = 15 * 60_000
/** Between two looks for a free permit. */
const crowdedMillis = 100
/** Few enough that a refusal finds few others on their way. */
const requestsInFlight = 10

export class EsiClient extends Context.Service<EsiClient, {
  readonly send: (request: EsiRequest) => Effect.Effect<EsiAnswer, EsiError | SqlError.SqlError>
}>()("killmaild/esi/EsiClient") {
  static readonly layer = Layer.effect(
    EsiClient,
    Effect.gen(function*() {
      const settings = yield* Settings
      const limits = yield* RateLimits
      // Closing the scope of an exchange aborts what was not read of it.
      const http = HttpClient.withScope(yield* HttpClient.HttpClient)
      const permits = yield* Semaphore.make(requestsInFlight)
      const defaultPause = defaultPauseMillis / settings.scheduleSpeed
      const base = settings.esiUrl.href.replace(/\/+$/, "")
      const headers = {
        "user-agent": yield* userAgentFor(settings, settings.esiUrl),
        "x-compatibility-date": settings.esiCompatibilityDate,
        accept: "application/json"
      }
      /** Routes that ESI counts in another group than we believed, as its headers said. */
      const learntGroups = new Map<string, string>()

      const ticketFor = ({ as, group, route }: EsiRequest): Ticket => {
        const name = learntGroups.get(route) ?? group?.name
        return name === undefined
          ? { bucket: errorBucket, tokens: 1, group: errorGroup, refusedAs: bucketOf(route, as) }
          : {
            bucket: bucketOf(name, as),
            tokens: worstCost,
            group: group ?? { ...errorGroup, name },
            refusedAs: bucketOf(name, as)
          }
      }

      /** Stops a bucket for all replicas, and says how long. */
      const pause = Effect.fnUntraced(function*(bucket: string, millis: number, reason: string) {
        const waitMillis = Math.ceil(millis * (1 + 0.1 * (yield* Random.next)))
        yield* limits.pause({ bucket, millis: waitMillis, reason })
        if (!isOfPilot(bucket)) yield* setPaused(bucket, true)
        yield* Effect.logWarning("ESI paused", { bucket, waitMillis, reason })
        return { bucket, waitMillis, why: reason }
      })

      /**
       * Takes from the headers what they say of budgets; returns the refusal where this is one. Pauses first, as others
       * may be about to leave.
       */
      const learn = Effect.fnUntraced(
        function*(
          request: EsiRequest,
          ticket: Ticket,
          reservation: Reservation,
          response: HttpClientResponse.HttpClientResponse
        ) {
          const { headers, status } = response
          const tokens = readTokens(headers)
          const errors = readErrorsLeft(headers)
          const bucket = tokens === undefined ? ticket.bucket : bucketOf(tokens.group, request.as)
          let paused: { readonly bucket: string; readonly waitMillis: number; readonly why: string } | undefined
          if (status === 420) {
            yield* countRateLimitHit("420")
            const reset = readErrorReset(headers) ?? defaultPause
            paused = yield* pause(errorBucket, reset, "ESI answered 420: too many errors.")
          } else if (errors !== undefined && errors < errorsSpared) {
            const reset = readErrorReset(headers) ?? defaultPause
            yield* pause(errorBucket, reset, `ESI allows only ${errors} more errors.`)
          }
          if (status === 429) {
            yield* countRateLimitHit("429")
            const retryAfter = retryAfterMillis(headers, yield* Clock.currentTimeMillis) ?? defaultPause
            const refused = tokens === undefined ? ticket.refusedAs : bucket
            paused = yield* pause(refused, retryAfter, `ESI answered 429 to ${request.route}.`)
          }
          const spent = tokens !== undefined || ticket.bucket !== errorBucket
            ? tokens?.used ?? tokensFor(status)
            : status >= 400
            ? 1
            : 0
          if (bucket !== ticket.bucket) {
            learntGroups.set(request.route, tokens!.group)
            yield* limits.settle({ bucket: ticket.bucket, reservation, spent: 0 })
          }
          const own = bucket === ticket.bucket ? reservation : undefined
          const left = yield* limits.settle({ bucket, reservation: own, spent, told: tokens?.told })
          if (request.as === undefined) yield* setTokensRemaining(tokens?.group ?? ticket.group.name, left)
          if (errors !== undefined) {
            const { limit, windowMillis } = errorGroup
            const remaining = Math.min(Math.max(errors - errorsSpared, 0), limit)
            yield* limits.observe({ bucket: errorBucket, limit, windowMillis, remaining })
          }
          return paused === undefined ? undefined : new EsiPaused({ path: request.path, ...paused })
        }
      )

      const requestFor = ({ as, body, etag, path }: EsiRequest) => {
        const own = {
          ...headers,
          ...(as === undefined ? {} : { authorization: `Bearer ${Redacted.value(as.token)}` }),
          ...(etag === undefined ? {} : { "if-none-match": etag })
        }
        return body === undefined
          ? HttpClientRequest.get(base + path, { headers: own })
          : HttpClientRequest.post(base + path, { headers: own }).pipe(HttpClientRequest.bodyJsonUnsafe(body))
      }

      /** Sent and read within the deadline. What it cost is known from here on, or taken for the worst. */
      const exchange = Effect.fnUntraced(
        function*(request: EsiRequest, ticket: Ticket, reservation: Reservation) {
          const started = yield* Clock.currentTimeMillis
          const failed = Effect.fnUntraced(function*(cause: unknown) {
            const timedOut = Cause.isTimeoutError(cause)
            yield* countRequest(
              request.route,
              timedOut ? "timeout" : "socket",
              (yield* Clock.currentTimeMillis) - started
            )
            const problem = timedOut ? `no answer within ${deadlineMillis} ms.` : describe(cause)
            return yield* new EsiError({ reason: new EsiUnavailable({ path: request.path, problem }) })
          })
          const response = yield* http.execute(requestFor(request)).pipe(
            Effect.timeout(deadlineMillis),
            Effect.tapError(() => limits.settle({ bucket: ticket.bucket, reservation, spent: reservation.tokens })),
            Effect.catchTag(["HttpClientError", "TimeoutError"], failed)
          )
          yield* Effect.annotateCurrentSpan("http.response.status_code", response.status)
          const count = Effect.gen(function*() {
            const millis = (yield* Clock.currentTimeMillis) - started
            yield* countRequest(request.route, String(response.status), millis)
          })
          yield* crashPoint("ESI answered, budget not settled")
          const refusal = yield* Effect.uninterruptible(learn(request, ticket, reservation, response))
          if (refusal !== undefined) {
            yield* count
            return yield* new EsiError({ reason: refusal })
          }
          const text = yield* boundedText(response).pipe(
            Effect.timeout(Math.max(started + deadlineMillis - (yield* Clock.currentTimeMillis), 0)),
            Effect.catchTag(["HttpClientError", "TimeoutError", "AnswerTooLarge"], failed)
          )
          yield* count
          const answer: EsiAnswer = { status: response.status, headers: response.headers, text }
          const problem = problemOf(request.path, answer)
          return problem === undefined ? answer : yield* new EsiError({ reason: problem })
        },
        Effect.scoped,
        Effect.provideService(HttpClient.TracerPropagationEnabled, false)
      )

      /** Which bucket holds it up. A downtime of Tranquility is told only where nothing else is in the way. */
      const paused = Effect.fnUntraced(function*(request: EsiRequest, buckets: ReadonlyArray<string>, wait: number) {
        const states = yield* limits.list(buckets)
        const inTheWay = buckets.flatMap((bucket) =>
          states.filter((state) => state.bucket === bucket && state.pauseMillis > 0)
        )
        for (const { bucket, pauseMillis } of states) if (!isOfPilot(bucket)) yield* setPaused(bucket, pauseMillis > 0)
        if (inTheWay.length === 0) yield* countRateLimitHit("budget")
        return new EsiPaused({
          path: request.path,
          bucket: inTheWay[0]?.bucket ?? buckets[0]!,
          // Callers that come back at the same moment would only stop each other.
          waitMillis: Math.ceil(
            (inTheWay[0]?.pauseMillis ?? Math.min(wait, longestWindowMillis)) * (1 + 0.15 * (yield* Random.next))
          ),
          why: inTheWay[0]?.reason ?? `the budget of ${buckets[0]} is spent.`
        })
      })

      const send = Effect.fnUntraced(function*(request: EsiRequest) {
        const { patience, returnMillis } = request.isUnhurried === true ? unhurried : hurried
        let slept = 0
        while (true) {
          const ticket = ticketFor(request)
          const pausedBy = [ticket.refusedAs, errorBucket, ...request.pausedBy ?? []]
          const { limit, windowMillis } = ticket.group
          // The permit comes first: nothing may lie between taking tokens, which checks the pauses, and sending.
          const turn = yield* permits.withPermitsIfAvailable(1)(Effect.gen(function*() {
            const { waitMillis, reservation } = yield* limits.reserve({
              bucket: ticket.bucket,
              tokens: ticket.tokens,
              limit,
              windowMillis,
              pausedBy
            })
            return reservation === undefined ? waitMillis : yield* exchange(request, ticket, reservation)
          }))
          // Every permit taken, perhaps by requests that hang: that is a wait, too, and must not hold a job's slot.
          const outcome = Option.getOrElse(turn, () => crowdedMillis)
          if (typeof outcome !== "number") return outcome
          if (Option.isNone(turn) && slept + outcome > patience) {
            const why = "as many requests as may be are under way."
            const waitMillis = Math.ceil(returnMillis * (1 + (yield* Random.next)))
            return yield* new EsiError({
              reason: new EsiPaused({ path: request.path, bucket: ticket.bucket, waitMillis, why })
            })
          }
          if (slept + outcome > patience) {
            return yield* new EsiError({
              reason: yield* paused(request, [...new Set([ticket.bucket, ...pausedBy])], outcome)
            })
          }
          yield* Effect.sleep(outcome)
          slept += outcome
        }
      })

      return EsiClient.of({ send })
    })
  )
}

/** What was taken for a request. */
interface Ticket {
  readonly bucket: string
  readonly tokens: number
  readonly group: TokenGroup
  /** What a 429 without a name pauses: the group, or this route alone where it has none. */
  readonly refusedAs: string
}

const bucketOf = (group: string, as?: Bearer): string =>
  as === undefined ? `esi:${group}` : `esi:${group}:${as.characterId}`

const describe = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)
