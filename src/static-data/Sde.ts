/** CCP's static data (SDE) where they are published: which build is the newest, and the archive of a build. */
import { Effect, Option, Schema, type Scope, Stream, Tracer } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { mkdir, open, rm } from "node:fs/promises"
import { join } from "node:path"
import { type SettingInvalid, Settings, userAgentFor } from "../Settings.ts"

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

const Latest = Schema.fromJsonString(Schema.Struct({ _key: Schema.String, buildNumber: Schema.Int }))

/** As messages and tables call it: without a password. */
export const nameOf = ({ origin, pathname }: URL): string => origin + pathname

/** The newest build, and where it is. */
export const latest = Effect.gen(function*() {
  const { sdeUrl } = yield* Settings
  const base = sdeUrl.href.replace(/\/+$/, "")
  const url = new URL(`${base}/tranquility/latest.jsonl`)
  const text = yield* Effect.scoped(Effect.flatMap(get(url), (body) => Stream.mkString(Stream.decodeText(body.bytes))))
  const build = text.trim().split("\n")
    .map((line) => Option.getOrUndefined(Schema.decodeOption(Latest)(line)))
    .find((line) => line?._key === "sde")?.buildNumber
  if (build === undefined) {
    return yield* new SdeUnavailable({
      message: `${nameOf(url)} tells no build number: ${JSON.stringify(text.slice(0, 100))}.`
    })
  }
  return { build, url: new URL(`${base}/tranquility/eve-online-static-data-${build}-jsonl.zip`) }
})

/** Keeps the archive in the data directory for as long as the scope lives; returns its path. */
export const download: (
  url: URL,
  onProgress: OnProgress
) => Effect.Effect<string, SdeUnavailable | SettingInvalid, Scope.Scope | Settings | HttpClient.HttpClient> = Effect
  .fnUntraced(function*(url, onProgress) {
    const { dataDir } = yield* Settings
    const path = join(dataDir, "static-data.zip")
    const unkept = (cause: unknown) =>
      new SdeUnavailable({ message: `${path} cannot be written: ${cause instanceof Error ? cause.message : cause}.` })
    const file = yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: async () => {
          await mkdir(dataDir, { recursive: true })
          return await open(path, "w")
        },
        catch: unkept
      }),
      (file) => Effect.promise(() => file.close().then(() => rm(path, { force: true })))
    )
    let done = 0
    yield* Effect.scoped(
      Effect.flatMap(get(url), ({ bytes, total }) =>
        Stream.runForEach(bytes, (chunk) =>
          Effect.tryPromise({
            try: () => file.write(chunk),
            catch: unkept
          }).pipe(
            Effect.andThen(onProgress({ step: "download", done: done += chunk.length, total }))
          )))
    )
    return path
  })

/** The body of a 200, under our name, and its length where the server tells it. */
const get = Effect.fnUntraced(function*(url: URL) {
  const userAgent = yield* userAgentFor(yield* Settings, url)
  const client = HttpClient.followRedirects(HttpClient.withScope(yield* HttpClient.HttpClient), 5)
  const failed = (problem: string) => new SdeUnavailable({ message: `${nameOf(url)} cannot be had: ${problem}` })
  const silent = failed(`nothing came within ${patience}.`)
  const response = yield* client.execute(HttpClientRequest.get(url, { headers: { "user-agent": userAgent } })).pipe(
    Effect.provideService(Tracer.DisablePropagation, true),
    Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(silent) }),
    Effect.catchTag("HttpClientError", (error) => Effect.fail(failed(error.message)))
  )
  if (response.status !== 200) {
    const seconds = Number(response.headers["retry-after"])
    return yield* new SdeUnavailable({
      message: `${nameOf(url)} cannot be had: the server answered ${response.status}.`,
      ...(seconds >= 0 ? { retryAfter: seconds * 1000 } : {})
    })
  }
  const length = Number(response.headers["content-length"])
  return {
    total: length > 0 ? length : undefined,
    bytes: response.stream.pipe(
      Stream.catchTag("HttpClientError", (error) => Stream.fail(failed(error.message))),
      Stream.timeoutOrElse({ duration: patience, orElse: () => Stream.fail(silent) })
    )
  }
})
