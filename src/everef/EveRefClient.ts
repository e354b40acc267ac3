/**
 * EVE Ref (data.everef.net), whose datasets share one layout: a file a day, the days' counts in `totals.json`, and a list of
 * each year's files in its `index.json`. Files are edited in place when something is found late.
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

/** A kind of files: `{folder}/{year}/{name(day)}`. */
export interface Dataset {
  readonly folder: string
  readonly name: (day: Day) => string
}

export interface DayFile {
  readonly bytes: Uint8Array
  readonly etag: string | null
}

/** What a list says of a day's file. */
export interface Listed {
  /** Changes when the file does. */
  readonly mark: string
  /** Records in it, where that is told. */
  readonly count: number | undefined
}

type Answer = DayFile | "unchanged" | "absent"

/** Two requests a second: at full speed Cloudflare, in front of it, refuses after about 55 (observed in October 2026). */
const budget = { bucket: "everef", limit: 2, windowMillis: 1000 }
/** The budget comes back within a second or two: what takes longer is a pause, and the caller's to wait for. */
const longestSleepMillis = 5000
/** For a refusal that does not say how long. */
const defaultPauseMillis = 60_000
/** Until an answer was read whole: a few megabytes at most. */
const deadlineMillis = 60_000

const hiccup = Schedule.jittered(Schedule.exponential("500 millis"))

const Totals = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Int))
const Index = Schema.fromJsonString(Schema.Struct({
  files: Schema.Array(Schema.Struct({ name: Schema.String, etag: Schema.optionalKey(Schema.NullOr(Schema.String)) }))
}))

export class EveRefClient extends Context.Service<EveRefClient, {
  /** The days of these years that have a file. */
  readonly listing: (
    dataset: Dataset,
    years: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyMap<Day, Listed>, EveRefError>
  /** The day's file; `unchanged` when it is the one with this ETag, `absent` when there is none. */
  readonly dayFile: (dataset: Dataset, day: Day, etag: string | null) => Effect.Effect<Answer, EveRefError>
}>()("killmaild/everef/EveRefClient") {
  static readonly layer = Layer.effect(
    EveRefClient,
    Effect.gen(function*() {
      const settings = yield* Settings
      const limits = yield* RateLimits
      const http = HttpClient.followRedirects(HttpClient.withScope(yield* HttpClient.HttpClient), 3)
      const base = settings.everefUrl.href.replace(/\/+$/, "")
      // A daemon goes on without history, so this stops no start.
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

      const get = Effect.fn("EveRefClient.get")(
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

      const listing: EveRefClient["Service"]["listing"] = Effect.fn("EveRefClient.listing")(function*(dataset, years) {
        const { folder } = dataset
        const totals = Object.entries((yield* json(`${folder}/totals.json`, Totals)) ?? {}).map(([day, count]) =>
          [dashed(day), count] as const
        )
        const listed = new Map<Day, Listed>()
        const thisYear = String(new Date(yield* Clock.currentTimeMillis).getUTCFullYear())
        for (const year of years) {
          const counted = totals.filter(([day]) => day.startsWith(year))
          for (const [day, count] of counted) if (count > 0) listed.set(day, { mark: `${count} records`, count })
          // What was archived before EVE Ref began to count is in the list of its year.
          const isWhole = counted.length >= (year === thisYear ? 1 : 365)
          const index = isWhole ? undefined : yield* json(`${folder}/${year}/index.json`, Index)
          for (const { etag, name } of index?.files ?? []) {
            const day = /\d{4}-\d\d-\d\d/.exec(name)?.[0]
            if (day === undefined || name !== dataset.name(day) || listed.has(day)) continue
            listed.set(day, { mark: `etag ${readEtag(etag ?? undefined)}`, count: undefined })
          }
        }
        return listed
      })

      const dayFile: EveRefClient["Service"]["dayFile"] = ({ folder, name }, day, etag) =>
        get(`${folder}/${day.slice(0, 4)}/${name(day)}`, etag)

      return EveRefClient.of({ listing, dayFile })
    })
  )
}

/** Counts of killmails are by `20261118`, those of prices by `2026-11-18`. */
const dashed = (day: string): Day => day.replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3")

/** Without the marks of weakness, which Cloudflare sets and then does not know again. */
const readEtag = (header: string | undefined): string | null => /^(?:W\/)?"?([^"]+)"?$/.exec(header ?? "")?.[1] ?? null
