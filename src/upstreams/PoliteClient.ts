/**
 * Asks one upstream as a guest should: under our name, within a budget that all replicas share, silent while it refuses us.
 * What fails for no good reason is asked for twice again.
 */
import { Effect, Option, Schedule, Schema, type Scope, Tracer } from "effect"
import { HttpClient, type HttpClientError, HttpClientRequest, type HttpClientResponse } from "effect/http"
import type { SqlError } from "effect/sql"
import { promisify } from "node:util"
import { gunzip } from "node:zlib"
import { type AnswerTooLarge, boundedBytes } from "../BoundedText.ts"
import { retryAfterMillis } from "../RetryAfter.ts"
import { Settings, userAgentFor } from "../Settings.ts"
import { RateLimits } from "../store/RateLimits.ts"

/** No usable answer after retries: one sentence. */
export class UpstreamUnavailable extends Schema.TaggedError<UpstreamUnavailable>()("UpstreamUnavailable", {
  message: Schema.String,
  /** There was one, larger than we read. */
  isTooLarge: Schema.optionalKey(Schema.Boolean)
}) {}

/** It refuses requests for now, or our own budget does: come back in so many milliseconds. */
export class UpstreamPaused extends Schema.TaggedError<UpstreamPaused>()("UpstreamPaused", {
  waitMillis: Schema.Finite,
  message: Schema.String
}) {}

export type UpstreamError = UpstreamUnavailable | UpstreamPaused | SqlError.SqlError

export interface Upstream {
  /** For sentences. */
  readonly name: string
  readonly base: URL
  /** Requests in any stretch of so many milliseconds, over all replicas. */
  readonly budget: { readonly bucket: string; readonly limit: number; readonly windowMillis: number }
  /** Until an answer was read whole. */
  readonly deadlineMillis: number
  /** Bytes of an answer, unpacked; 16 MiB if not told. */
  readonly mostBytes?: number
  /** Without a request after a refusal that does not say how long; a minute if not told. */
  readonly refusedMillis?: number
}

export interface File {
  readonly bytes: Buffer
  /** Without the marks of weakness, which Cloudflare sets and then does not know again. */
  readonly etag: string | null
}

export interface PoliteClient {
  /** What is under this path, which begins with a slash; `unchanged` when it has this ETag, `absent` when there is nothing. */
  readonly file: (path: string, etag: string | null) => Effect.Effect<File | "unchanged" | "absent", UpstreamError>
  /** Its bytes. */
  readonly get: (path: string) => Effect.Effect<Option.Option<Buffer>, UpstreamError>
  /** The same, as this JSON. */
  readonly json: <A>(path: string, schema: Schema.Codec<A, string>) => Effect.Effect<Option.Option<A>, UpstreamError>
}

/** The budget comes back within a second or two: what takes longer is a pause, and the caller's to wait for. */
const longestSleepMillis = 5000
const unpack = promisify(gunzip)
const hiccup = Schedule.jittered(Schedule.exponential("500 millis"))

/** Waits for the end of every pause, and asks again. */
export const patiently = <A, E, R>(
  request: Effect.Effect<A, E | UpstreamPaused, R>,
  wait: (pause: UpstreamPaused) => Effect.Effect<void> = ({ waitMillis }) => Effect.sleep(waitMillis)
) =>
  request.pipe(
    Effect.tapError((error) => error instanceof UpstreamPaused ? wait(error) : Effect.void),
    Effect.retry({ while: (error) => error instanceof UpstreamPaused })
  ) as Effect.Effect<A, Exclude<E, UpstreamPaused>, R>

/** Of what is always there at an upstream that is what it should be. */
export const presentOr = (message: string) => <A>(answer: Option.Option<A>): Effect.Effect<A, UpstreamUnavailable> =>
  Option.match(answer, { onNone: () => Effect.fail(new UpstreamUnavailable({ message })), onSome: Effect.succeed })

export const makePoliteClient = Effect.fnUntraced(function*(upstream: Upstream) {
  const { budget, deadlineMillis, mostBytes = 16 * 1024 * 1024, name, refusedMillis = 60_000 } = upstream
  const settings = yield* Settings
  const limits = yield* RateLimits
  const http = HttpClient.followRedirects(HttpClient.withScope(yield* HttpClient.HttpClient), 3)
  const base = upstream.base.href.replace(/\/+$/, "")
  // Whoever never asks it needs no contact: this stops no start.
  const userAgent = userAgentFor(settings, upstream.base).pipe(
    Effect.mapError(({ message }) => new UpstreamUnavailable({ message }))
  )

  const turn = Effect.gen(function*() {
    for (let slept = 0;;) {
      const wait = yield* limits.take({ ...budget, tokens: 1 })
      if (wait <= 0) return
      if (slept + wait > longestSleepMillis) {
        return yield* new UpstreamPaused({ waitMillis: wait, message: `${name} is not asked now.` })
      }
      yield* Effect.sleep(wait)
      slept += wait
    }
  })

  const refused = Effect.fnUntraced(function*({ headers, status }: HttpClientResponse.HttpClientResponse) {
    const waitMillis = retryAfterMillis(headers) || refusedMillis / settings.scheduleSpeed
    const message = `${name} answered ${status}.`
    yield* limits.pause({ bucket: budget.bucket, millis: waitMillis, reason: message })
    return yield* new UpstreamPaused({ waitMillis, message })
  })

  const ask = Effect.fnUntraced(
    function*(
      path: string,
      etag: string | null
    ): Effect.fn.Return<
      File | "unchanged" | "absent",
      UpstreamError | AnswerTooLarge | HttpClientError.HttpClientError,
      Scope.Scope
    > {
      yield* turn
      const headers = {
        "user-agent": yield* userAgent,
        "accept-encoding": "gzip",
        ...(etag === null ? {} : { "if-none-match": `"${etag}"` })
      }
      const response = yield* http.execute(HttpClientRequest.get(base + path, { headers }))
      if (response.status === 404) return "absent"
      if (response.status === 304) return "unchanged"
      if (response.status === 403 || response.status === 429) {
        return yield* refused(response)
      }
      if (response.status !== 200) return yield* unavailable(path, `it answered ${response.status}.`)
      const sent = yield* boundedBytes(response, mostBytes)
      const bytes = response.headers["content-encoding"] === "gzip" ? yield* unpacked(path, sent) : sent
      return { bytes, etag: readEtag(response.headers["etag"]) }
    },
    Effect.scoped
  )

  const unpacked = (path: string, bytes: Buffer) =>
    Effect.tryPromise({
      try: () => unpack(bytes, { maxOutputLength: mostBytes }),
      catch: (cause) => {
        const isTooLarge = (cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE"
        const problem = isTooLarge ? "the answer is too large when it is unpacked." : "its answer cannot be unpacked."
        return unavailable(path, problem, { isTooLarge })
      }
    })

  const unavailable = (path: string, problem: string, more: { readonly isTooLarge?: boolean } = {}) =>
    new UpstreamUnavailable({ message: `${name} did not serve ${path}: ${problem}`, ...more })

  const file: PoliteClient["file"] = (path, etag) =>
    ask(path, etag).pipe(
      Effect.provideService(Tracer.DisablePropagation, true),
      Effect.timeoutOrElse({
        duration: deadlineMillis,
        orElse: () => Effect.fail(unavailable(path, `nothing within ${deadlineMillis} ms.`))
      }),
      Effect.catchTag("HttpClientError", ({ message }) => Effect.fail(unavailable(path, message))),
      Effect.catchTag("AnswerTooLarge", ({ message }) =>
        Effect.fail(unavailable(path, `${message}.`, { isTooLarge: true }))),
      Effect.retry({
        while: (error) =>
          error._tag === "UpstreamUnavailable" && error.isTooLarge !== true,
        times: 2,
        schedule: hiccup
      }),
      Effect.withSpan("ask upstream", { attributes: { "url.full": base + path } }, { captureStackTrace: false })
    )

  const get: PoliteClient["get"] = (path) =>
    Effect.map(file(path, null), (found) => typeof found === "string" ? Option.none() : Option.some(found.bytes))

  const json: PoliteClient["json"] = Effect.fnUntraced(function*(path, schema) {
    const bytes = yield* get(path)
    if (Option.isNone(bytes)) return Option.none()
    return Option.some(
      yield* Schema.decodeEffect(schema)(bytes.value.toString()).pipe(
        Effect.mapError(() => unavailable(path, "its answer cannot be read."))
      )
    )
  })

  return { file, get, json } satisfies PoliteClient as PoliteClient
})

export const readEtag = (header: string | undefined): string | null =>
  /^(?:W\/)?"?([^"]+)"?$/.exec(header ?? "")?.[1] ?? null
