/**
 * EVE Ref's market history (data.everef.net, docs.everef.net/datasets/market-history): one file a day with the day's
 * averages of all regions. A file grows for a day after it appeared, and for as long as 450 days when sales are found late.
 */
import { Clock, Context, Effect, Layer, Schedule, Schema, type Scope, Tracer } from "effect"
import { HttpClient, type HttpClientError, HttpClientRequest } from "effect/http"
import type { SqlError } from "effect/sql"
import { type AnswerTooLarge, boundedBytes } from "../BoundedText.ts"
import type { Day } from "../domain/Market.ts"
import { Settings, userAgentFor } from "../Settings.ts"
import { RateLimits } from "../store/RateLimits.ts"

/** No usable answer after retries. */
export class EveRefUnavailable extends Schema.TaggedError<EveRefUnavailable>()("EveRefUnavailable", {
  message: Schema.String
}) {}

/** It refuses requests for now, or our own budget does: come back in so many milliseconds. */
export class EveRefPaused extends Schema.TaggedError<EveRefPaused>()("EveRefPaused", {
  waitMillis: Schema.Finite,
  message: Schema.String
}) {}

export type EveRefError = EveRefUnavailable | EveRefPaused | SqlError.SqlError

export interface DayFile {
  /** Bzip2. */
  readonly bytes: Uint8Array
  readonly etag: string | null
}

type Answer = DayFile | "unchanged" | "absent"

/** Two requests a second: at full speed Cloudflare, in front of it, refuses after about 55 (observed in October 2026). */
const budget = { bucket: "everef", limit: 2, windowMillis: 1000 }
/** The budget comes back within a second or two: what takes longer is a pause, and the caller's to wait for. */
const longestSleepMillis = 5000
/** For a refusal that does not say how long. */
const defaultPauseMillis = 60_000
/** Until an answer was read whole. A day is half a megabyte. */
const deadlineMillis = 60_000

const hiccup = Schedule.jittered(Schedule.exponential("500 millis"))

const Totals = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Int))
const Index = Schema.fromJsonString(Schema.Struct({
  files: Schema.Array(Schema.Struct({ name: Schema.String, etag: Schema.optionalKey(Schema.NullOr(Schema.String)) }))
}))

export class EveRef extends Context.Service<EveRef, {
  /** The days of these years that have a file, each with a mark that changes when its file does. */
  readonly listing: (years: ReadonlyArray<string>) => Effect.Effect<ReadonlyMap<Day, string>, EveRefError>
  /** The day's file; `unchanged` when it is the one with this ETag, `absent` when there is none. */
  readonly dayFile: (day: Day, etag: string | null) => Effect.Effect<Answer, EveRefError>
}>()("killmaild/prices/EveRef") {
  static readonly layer = Layer.effect(
    EveRef,
    Effect.gen(function*() {
      const settings = yield* Settings
      const limits = yield* RateLimits
      const http = HttpClient.followRedirects(HttpClient.withScope(yield* HttpClient.HttpClient), 3)
      const base = `${settings.everefUrl.href.replace(/\/+$/, "")}/market-history`
      // A daemon goes on without prices, so this stops no start.
      const userAgent = userAgentFor(settings, settings.everefUrl).pipe(
        Effect.mapError(({ message }) => new EveRefUnavailable({ message }))
      )

      const turn = Effect.gen(function*() {
        for (let slept = 0;;) {
          const wait = yield* limits.take({ ...budget, tokens: 1 })
          if (wait <= 0) return
          if (slept + wait > longestSleepMillis) {
            return yield* new EveRefPaused({ waitMillis: wait, message: "EVE Ref is not asked now." })
          }
          yield* Effect.sleep(wait)
          slept += wait
        }
      })

      const refused = Effect.fnUntraced(function*(status: number, retryAfter: string | undefined) {
        const seconds = Number(retryAfter)
        const waitMillis = seconds > 0 ? seconds * 1000 : defaultPauseMillis / settings.scheduleSpeed
        const message = `EVE Ref answered ${status}.`
        yield* limits.pause({ bucket: budget.bucket, millis: waitMillis, reason: message })
        return yield* new EveRefPaused({ waitMillis, message })
      })

      const get = Effect.fn("EveRef.get")(
        function*(
          path: string,
          etag: string | null
        ): Effect.fn.Return<Answer, EveRefError | AnswerTooLarge | HttpClientError.HttpClientError, Scope.Scope> {
          const unavailable = (problem: string) =>
            new EveRefUnavailable({ message: `EVE Ref did not serve ${path}: ${problem}` })
          yield* turn
          const response = yield* http.execute(HttpClientRequest.get(`${base}/${path}`, {
            headers: { "user-agent": yield* userAgent, ...(etag === null ? {} : { "if-none-match": `"${etag}"` }) }
          }))
          if (response.status === 404) return "absent"
          if (response.status === 304) return "unchanged"
          if (response.status === 403 || response.status === 429) {
            return yield* refused(response.status, response.headers["retry-after"])
          }
          if (response.status !== 200) return yield* unavailable(`it answered ${response.status}.`)
          return { bytes: yield* boundedBytes(response), etag: readEtag(response.headers["etag"]) }
        },
        Effect.scoped,
        (request, path) =>
          request.pipe(
            Effect.provideService(Tracer.DisablePropagation, true),
            Effect.timeoutOrElse({
              duration: deadlineMillis,
              orElse: () => Effect.fail(new EveRefUnavailable({ message: `EVE Ref did not serve ${path} in time.` }))
            }),
            Effect.catchTag(["HttpClientError", "AnswerTooLarge"], ({ message }) =>
              Effect.fail(new EveRefUnavailable({ message: `EVE Ref did not serve ${path}: ${message}` }))),
            Effect.retry({
              while: ({ _tag }) =>
                _tag === "EveRefUnavailable",
              times: 2,
              schedule: hiccup
            })
          )
      )

      const json = Effect.fnUntraced(function*<A>(path: string, schema: Schema.Codec<A, string>) {
        const answer = yield* get(path, null)
        if (typeof answer === "string") return undefined
        return yield* Schema.decodeEffect(schema)(new TextDecoder().decode(answer.bytes)).pipe(
          Effect.mapError(() => new EveRefUnavailable({ message: `EVE Ref's ${path} cannot be read.` }))
        )
      })

      const listing: EveRef["Service"]["listing"] = Effect.fn("EveRef.listing")(function*(years) {
        const totals = Object.entries((yield* json("totals.json", Totals)) ?? {})
        const marks = new Map<Day, string>()
        const thisYear = String(new Date(yield* Clock.currentTimeMillis).getUTCFullYear())
        for (const year of years) {
          const counted = totals.filter(([day]) => day.startsWith(year))
          for (const [day, count] of counted) if (count > 0) marks.set(day, `${count} records`)
          // What was archived before EVE Ref began to count is in the directory of its year.
          const isWhole = counted.length >= (year === thisYear ? 1 : 365)
          const index = isWhole ? undefined : yield* json(`${year}/index.json`, Index)
          for (const { etag, name } of index?.files ?? []) {
            const day = /^market-history-(\d{4}-\d\d-\d\d)\.csv\.bz2$/.exec(name)?.[1]
            if (day !== undefined && !marks.has(day)) marks.set(day, `etag ${readEtag(etag ?? undefined)}`)
          }
        }
        return marks
      })

      const dayFile: EveRef["Service"]["dayFile"] = (day, etag) =>
        get(`${day.slice(0, 4)}/market-history-${day}.csv.bz2`, etag)

      return EveRef.of({ listing, dayFile })
    })
  )
}

/** Without the marks of weakness, which Cloudflare sets and then does not know again. */
const readEtag = (header: string | undefined): string | null => /^(?:W\/)?"?([^"]+)"?$/.exec(header ?? "")?.[1] ?? null
