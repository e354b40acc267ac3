/**
 * EVE-KILL's WebSocket: the soonest to tell, by best effort. It has no cursor, so what it misses is for another feed or for
 * repairs; its bodies have lost their containers, so it only names killmails.
 */
import { Cause, Effect, Option, Queue, Schema } from "effect"
import { createHash } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { WebSocket } from "ws"
import { Id, KillmailHash } from "../domain/Killmail.ts"
import type { Heard } from "../intake/Hearing.ts"
import { retryAfterMillis } from "../RetryAfter.ts"
import { Settings, userAgentFor } from "../Settings.ts"
import { RateLimits } from "../store/RateLimits.ts"
import { countFeedRequest } from "../telemetry/Metrics.ts"
import type { Actor, Source } from "./Feed.ts"
import { type Budget, FeedUnavailable, waitForTurn } from "./Upstream.ts"

const name = "evekill_ws"
const budget: Budget = { bucket: name, limit: 1, windowMillis: 1000 }
/** Milliseconds until the socket is open, and again until it confirmed the subscription. */
const greetingMillis = 15_000
/** It pings every 30 s: so many milliseconds without a word, and nobody is there any more. */
const silenceMillis = 75_000
/** Milliseconds before the next try after a refusal that does not say how long to wait. */
const refusedMillis = 60_000
/** Bytes of one message; the largest killmails have a few hundred kB. */
const maxPayload = 4 * 1024 * 1024

/** The words of EVE-KILL's two programs; each begins with its own greeting. */
const dialects = {
  shrike: { greeting: "welcome", subscribe: (topics: ReadonlyArray<string>) => ({ action: "subscribe", topics }) },
  thessia: { greeting: "info", subscribe: (topics: ReadonlyArray<string>) => ({ type: "subscribe", topics }) }
}
type Dialect = keyof typeof dialects

export type Frame =
  | { readonly _tag: "Greeting"; readonly dialect: Dialect }
  | { readonly _tag: "Subscribed" }
  | { readonly _tag: "Ping"; readonly timestamp: unknown }
  | { readonly _tag: "Error"; readonly message: string }
  | { readonly _tag: "Killmail"; readonly heard: Heard }
  /** A killmail without an id or a hash, or no message at all. */
  | { readonly _tag: "Unreadable"; readonly text: string }
  | { readonly _tag: "Other" }

const Message = Schema.fromJsonString(Schema.Struct({
  type: Schema.optionalKey(Schema.String),
  channel: Schema.optionalKey(Schema.String),
  message: Schema.optionalKey(Schema.String),
  timestamp: Schema.optionalKey(Schema.Unknown),
  data: Schema.optionalKey(Schema.Unknown)
}))
const decodeMessage = Schema.decodeUnknownOption(Message)
const decodeNamed = Schema.decodeUnknownOption(Schema.Struct({
  killmail_id: Id,
  killmail_hash: KillmailHash,
  killmail_time: Schema.optionalKey(Schema.String),
  kill_time: Schema.optionalKey(Schema.String)
}))

/** What a message of either program says. */
export const readFrame = (text: string): Frame => {
  const decoded = decodeMessage(text)
  if (Option.isNone(decoded)) return { _tag: "Unreadable", text }
  const { channel, data, message = "no reason", timestamp, type } = decoded.value
  if (channel === "killmails" || type === "killmail") return readKillmail(data, text)
  switch (type) {
    case "welcome":
      return { _tag: "Greeting", dialect: "shrike" }
    case "info":
      return { _tag: "Greeting", dialect: "thessia" }
    case "subscribed":
      return { _tag: "Subscribed" }
    case "ping":
      return { _tag: "Ping", timestamp }
    case "error":
      return { _tag: "Error", message }
    default:
      return { _tag: "Other" }
  }
}

const readKillmail = (data: unknown, text: string): Frame => {
  const named = decodeNamed(data)
  if (Option.isNone(named)) return { _tag: "Unreadable", text }
  const { kill_time, killmail_hash, killmail_id, killmail_time = kill_time } = named.value
  const time = Date.parse(killmail_time ?? "")
  const publishedAt = Number.isNaN(time) ? undefined : time
  return { _tag: "Killmail", heard: { killmail_id, hash: killmail_hash, publishedAt } }
}

const unavailable = (problem: string) => new FeedUnavailable({ message: `EVE-KILL's socket ${problem}.` })

/** What comes in, until the socket ends or says nothing for too long. Pings are answered at once, whoever is busy. */
const connect = Effect.fnUntraced(function*(url: URL) {
  const settings = yield* Settings
  const limits = yield* RateLimits
  const run = Effect.runForkWith(yield* Effect.context())
  const headers = { "user-agent": yield* userAgentFor(settings, url) }
  const frames = yield* Queue.unbounded<Frame, FeedUnavailable>()
  const end = (problem: string) => Queue.failCauseUnsafe(frames, Cause.fail(unavailable(problem)))
  const silence = setTimeout(
    () => end(`said nothing for ${silenceMillis / 1000} s`),
    silenceMillis / settings.scheduleSpeed
  )

  const refused = (response: IncomingMessage) => {
    const millis = retryAfterMillis(response.headers) ?? refusedMillis / settings.scheduleSpeed
    const reason = `EVE-KILL's socket answered ${response.statusCode}`
    run(Effect.andThen(limits.pause({ bucket: name, millis, reason }), countFeedRequest(name, "refused")))
    end(`answered ${response.statusCode}`)
  }

  const socket = yield* Effect.acquireRelease(
    Effect.sync(() =>
      new WebSocket(url, { headers, handshakeTimeout: greetingMillis, maxPayload, followRedirects: true })
    ),
    (socket) => Effect.sync(() => socket.terminate())
  )
  yield* Effect.addFinalizer(() => Effect.sync(() => clearTimeout(silence)))
  const send = (message: object) => Effect.sync(() => socket.send(JSON.stringify(message)))
  socket.on("message", (data) => {
    silence.refresh()
    const frame = readFrame(String(data))
    if (frame._tag === "Ping") run(send({ type: "pong", timestamp: frame.timestamp }))
    else Queue.offerUnsafe(frames, frame)
  })
  socket.on("ping", () => silence.refresh())
  socket.on("unexpected-response", (_request, response) => refused(response))
  socket.on("error", ({ message }) => end(`failed: ${message}`))
  socket.on("close", (code, reason) => end(`closed with ${code} ${reason}`.trimEnd()))
  return { frames, send }
})

/** Answers the greeting in its dialect, unless another is set, and waits until the topics are subscribed to. */
const subscribe = Effect.fnUntraced(function*({ frames, send }: Effect.Success<ReturnType<typeof connect>>) {
  const { evekillWsDialect, evekillWsTopics, scheduleSpeed } = yield* Settings
  const greet = Effect.gen(function*() {
    for (;;) {
      const frame = yield* Queue.take(frames)
      if (frame._tag === "Subscribed") return
      if (frame._tag === "Error") return yield* unavailable(`refuses the subscription: ${frame.message}`)
      if (frame._tag !== "Greeting") continue
      const dialect = evekillWsDialect === "auto" ? frame.dialect : evekillWsDialect
      yield* send(dialects[dialect].subscribe(evekillWsTopics))
    }
  })
  const duration = greetingMillis / scheduleSpeed
  return yield* Effect.timeoutOrElse(greet, {
    duration,
    orElse: () => Effect.fail(unavailable(`confirmed no subscription within ${greetingMillis / 1000} s`))
  })
})

const listen = Effect.fnUntraced(function*(actor: Actor) {
  const { evekillWsUrl } = yield* Settings
  const url = Option.getOrThrow(evekillWsUrl)
  return yield* Effect.scoped(Effect.gen(function*() {
    yield* waitForTurn(budget)
    const connection = yield* connect(url)
    yield* subscribe(connection)
    yield* actor.healthy
    for (;;) {
      const frames = yield* Queue.takeAll(connection.frames)
      const heard = frames.flatMap((frame) => frame._tag === "Killmail" ? [frame.heard] : [])
      if (heard.length > 0) {
        yield* countFeedRequest(name, "ok")
        yield* actor.hear(heard)
      }
      for (const frame of frames) {
        if (frame._tag === "Unreadable") yield* keepUnreadable(actor, frame.text)
        if (frame._tag === "Error") yield* Effect.logWarning(`evekill_ws: ${frame.message}`)
      }
    }
  })).pipe(Effect.tapErrorTag("FeedUnavailable", () => countFeedRequest(name, "error")))
})

const keepUnreadable = (actor: Actor, text: string) => {
  const digest = createHash("sha1").update(text).digest("hex").slice(0, 16)
  const entry = { key: `${name}:${digest}`, text: text.slice(0, 65_536) }
  return actor.skip({ reason: "undecodable", error: "a message names no killmail", entry })
}

export const source: Source<Effect.Services<ReturnType<typeof listen>>> = { name, listen }
