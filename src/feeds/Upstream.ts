/** One GET to a feed's server: whole text within a deadline, under our name, gated by a budget that all replicas share. */
import { Effect, Schema, Tracer } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { boundedText } from "../BoundedText.ts"
import { crashPoint } from "../CrashPoint.ts"
import { retryAfterMillis } from "../RetryAfter.ts"
import { Settings, userAgentFor } from "../Settings.ts"
import { RateLimits } from "../store/RateLimits.ts"

/** The feed did not answer as it should: socket, deadline, status. Its actor starts again after a while. */
export class FeedUnavailable extends Schema.TaggedError<FeedUnavailable>()("FeedUnavailable", {
  message: Schema.String
}) {}

export interface Answer {
  readonly status: number
  readonly text: string
  /** Milliseconds that the server asks us to wait, where it says so. */
  readonly retryAfter: number | undefined
}

/** Requests of one upstream: so many in so many milliseconds, over all replicas. */
export interface Budget {
  readonly bucket: string
  readonly limit: number
  readonly windowMillis: number
  /** Buckets whose pauses stop these requests, too. */
  readonly pausedBy?: ReadonlyArray<string>
}

/** Takes one request from the budget, however long that takes. */
export const waitForTurn = Effect.fnUntraced(function*(budget: Budget) {
  const limits = yield* RateLimits
  for (;;) {
    const wait = yield* limits.take({ ...budget, tokens: 1 })
    if (wait <= 0) break
    yield* Effect.sleep(Math.min(wait, 60_000))
  }
  yield* crashPoint("token taken, feed not asked")
})

/** Waits for its turn, and asks. */
export const ask = Effect.fnUntraced(function*(budget: Budget, url: URL, deadlineMillis: number) {
  const settings = yield* Settings
  const client = HttpClient.followRedirects(yield* HttpClient.HttpClient, 3)
  const userAgent = yield* userAgentFor(settings, url)
  yield* waitForTurn(budget)
  return yield* client.execute(
    HttpClientRequest.get(url, { headers: { "user-agent": userAgent, accept: "application/json" } })
  ).pipe(
    Effect.flatMap((response) =>
      Effect.map(boundedText(response), (text): Answer => ({
        status: response.status,
        text,
        retryAfter: retryAfterMillis(response.headers)
      }))
    ),
    Effect.provideService(Tracer.DisablePropagation, true),
    Effect.timeoutOrElse({
      duration: deadlineMillis,
      orElse: () =>
        Effect.fail(new FeedUnavailable({ message: `${url.host} did not answer within ${deadlineMillis} ms.` }))
    }),
    Effect.catchTag(
      ["HttpClientError", "AnswerTooLarge"],
      (error) => Effect.fail(new FeedUnavailable({ message: `${url.host} cannot be read: ${error.message}` }))
    )
  )
})
