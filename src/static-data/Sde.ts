/** CCP's static data (SDE) where they are published: which build is the newest, and the archive of a build. */
import { Effect, Option, Schema, Stream, Tracer } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { mkdir, open, rm } from "node:fs/promises"
import { join } from "node:path"
import { boundedText } from "../BoundedText.ts"
import { retryAfterMillis } from "../RetryAfter.ts"
import { Settings, userAgentFor } from "../Settings.ts"

/** Nothing could be had now: no answer, another status than 200, an answer that breaks off, no room for it. */
export class SdeUnavailable extends Schema.TaggedError<SdeUnavailable>()("SdeUnavailable", {
  message: Schema.String,
  /** Milliseconds that the server asks us to wait, where it says so. */
  retryAfter: Schema.optionalKey(Schema.Finite)
}) {}

export interface Progress {
  readonly step: "download" | "import"
  /** Bytes. */
  readonly done: number
  readonly total: number | undefined
}
export type OnProgress = (progress: Progress) => Effect.Effect<void>

/** Until the first byte, and between any two. */
const patience = "60 seconds"
const silence = `nothing came within ${patience}`
/** CCP's has some 100,000,000. */
const mostBytes = 2_000_000_000

const Latest = Schema.fromJsonString(Schema.Struct({ _key: Schema.String, buildNumber: Schema.Int }))

/** As messages and tables call it: without a password. */
export const nameOf = ({ origin, pathname }: URL): string => origin + pathname

/** The newest build, and where it is. */
export const latest = Effect.gen(function*() {
  const { sdeUrl } = yield* Settings
  const base = sdeUrl.href.replace(/\/+$/, "")
  const url = new URL(`${base}/tranquility/latest.jsonl`)
  const text = yield* Effect.scoped(Effect.flatMap(get(url), boundedText)).pipe(
    Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(unavailable(url, silence)) }),
    Effect.catchTag(["HttpClientError", "AnswerTooLarge"], ({ message }) => Effect.fail(unavailable(url, message)))
  )
  const build = text.trim().split("\n")
    .map((line) => Option.getOrUndefined(Schema.decodeOption(Latest)(line)))
    .find((line) => line?._key === "sde")?.buildNumber
  if (build === undefined) {
    return yield* unavailable(url, `it tells no build number, but ${JSON.stringify(text.slice(0, 100))}`)
  }
  return { build, url: new URL(`${base}/tranquility/eve-online-static-data-${build}-jsonl.zip`) }
})

/** Keeps the archive in the data directory for as long as the scope lives; returns its path. */
export const download = Effect.fnUntraced(function*(url: URL, onProgress: OnProgress) {
  const { dataDir } = yield* Settings
  const path = join(dataDir, "static-data.zip")
  const unkept = (cause: unknown) =>
    new SdeUnavailable({ message: `${path} cannot be written: ${cause instanceof Error ? cause.message : cause}.` })
  const openFile = async () => {
    await mkdir(dataDir, { recursive: true })
    return await open(path, "w")
  }
  const file = yield* Effect.acquireRelease(
    Effect.tryPromise({ try: openFile, catch: unkept }),
    (file) => Effect.ignore(Effect.tryPromise(() => file.close().finally(() => rm(path, { force: true }))))
  )
  const response = yield* get(url)
  const length = Number(response.headers["content-length"])
  const total = length > 0 ? length : undefined
  let done = 0
  yield* response.stream.pipe(
    Stream.catchTag("HttpClientError", ({ message }) => Stream.fail(unavailable(url, message))),
    Stream.timeoutOrElse({ duration: patience, orElse: () => Stream.fail(unavailable(url, silence)) }),
    Stream.runForEach(Effect.fnUntraced(function*(chunk) {
      done += chunk.length
      if (done > mostBytes) return yield* unavailable(url, `it has more than ${mostBytes} bytes`)
      yield* Effect.tryPromise({ try: () => file.appendFile(chunk), catch: unkept })
      yield* onProgress({ step: "download", done, total })
    }))
  )
  return path
})

/** A 200, under our name. */
const get = Effect.fnUntraced(function*(url: URL) {
  const userAgent = yield* userAgentFor(yield* Settings, url)
  const client = HttpClient.followRedirects(HttpClient.withScope(yield* HttpClient.HttpClient), 5)
  const response = yield* client.execute(HttpClientRequest.get(url, { headers: { "user-agent": userAgent } })).pipe(
    Effect.provideService(Tracer.DisablePropagation, true),
    Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(unavailable(url, silence)) }),
    Effect.catchTag("HttpClientError", ({ message }) => Effect.fail(unavailable(url, message)))
  )
  if (response.status === 200) return response
  const retryAfter = retryAfterMillis(response.headers)
  return yield* unavailable(
    url,
    `the server answered ${response.status}`,
    retryAfter === undefined ? {} : { retryAfter }
  )
})

const unavailable = (url: URL, problem: string, more: { readonly retryAfter?: number } = {}) =>
  new SdeUnavailable({ message: `${nameOf(url)} cannot be had: ${problem}.`, ...more })
