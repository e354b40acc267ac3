/** Firebase Cloud Messaging, HTTP v1: brings a message to a device, or says why not. */
import { Context, Effect, Layer, Metric, Option, Redacted, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import type { SqlError } from "effect/sql"
import { boundedText } from "../BoundedText.ts"
import { retryAfterMillis } from "../RetryAfter.ts"
import { type ServiceAccount, Settings, userAgentFor } from "../Settings.ts"
import { RateLimits } from "../store/RateLimits.ts"
import { makeGoogleToken } from "./GoogleToken.ts"
import type { PushMessage } from "./PushMessage.ts"

/** The app is no longer there, or its token is none: nothing will ever come to it. */
export class DeviceGone extends Schema.TaggedError<DeviceGone>()("DeviceGone", { message: Schema.String }) {}

/** Not now: an outage, or more than Google allows. */
export class PushUnavailable extends Schema.TaggedError<PushUnavailable>()("PushUnavailable", {
  waitMillis: Schema.Finite,
  message: Schema.String
}) {}

/** Google refuses the message or the account. */
export class PushRefused extends Schema.TaggedError<PushRefused>()("PushRefused", { message: Schema.String }) {}

type Failure = DeviceGone | PushUnavailable | PushRefused | SqlError.SqlError

/** Of a project, says Google; shared by all replicas. */
const budget = { bucket: "fcm", limit: 600_000, windowMillis: 60_000 }
const deadlineMillis = 10_000
/** For a refusal that does not say how long: at least a minute, says Google. */
const laterMillis = 60_000

const pushes = Metric.counter("killmaild_pushes_total", {
  description: "Messages to devices by outcome: sent, device_gone, unavailable, refused",
  incremental: true
})
const count = (outcome: "sent" | "device_gone" | "unavailable" | "refused") =>
  Metric.update(Metric.withAttributes(pushes, { outcome }), 1)

const Problem = Schema.Struct({
  error: Schema.Struct({
    message: Schema.optionalKey(Schema.String),
    details: Schema.optionalKey(Schema.Array(Schema.Struct({
      errorCode: Schema.optionalKey(Schema.String),
      fieldViolations: Schema.optionalKey(Schema.Array(Schema.Struct({ field: Schema.optionalKey(Schema.String) })))
    })))
  })
})
const decodeProblem = Schema.decodeUnknownOption(Schema.fromJsonString(Problem))

export class Fcm extends Context.Service<Fcm, {
  /** None where no account is set. */
  readonly send: Option.Option<
    (device: Redacted.Redacted, message: PushMessage) => Effect.Effect<void, Failure>
  >
}>()("killmaild/notifications/Fcm") {
  static readonly layer = Layer.effect(
    Fcm,
    Effect.gen(function*() {
      const settings = yield* Settings
      const limits = yield* RateLimits
      const client = yield* HttpClient.HttpClient

      const senderFor = Effect.fnUntraced(function*(account: ServiceAccount) {
        const userAgent = yield* userAgentFor(settings, settings.fcmUrl)
        const accessToken = yield* makeGoogleToken(account, client, userAgent)
        const url = new URL(`v1/projects/${account.project_id}/messages:send`, baseOf(settings.fcmUrl))

        const getToken = (otherThan?: Redacted.Redacted) =>
          Effect.mapError(
            accessToken(otherThan),
            ({ message }) => new PushUnavailable({ waitMillis: laterMillis, message })
          )

        const pause = Effect.fnUntraced(function*(waitMillis: number, message: string) {
          yield* limits.pause({ bucket: budget.bucket, millis: waitMillis, reason: message })
          return yield* new PushUnavailable({ waitMillis, message })
        })

        const post = (token: Redacted.Redacted, device: Redacted.Redacted, message: PushMessage) =>
          HttpClientRequest.post(url, {
            headers: { "user-agent": userAgent, authorization: `Bearer ${Redacted.value(token)}` }
          }).pipe(
            HttpClientRequest.bodyJsonUnsafe({ message: { ...message, token: Redacted.value(device) } }),
            client.execute,
            Effect.flatMap((response) =>
              Effect.map(
                boundedText(response),
                (text) => ({ status: response.status, headers: response.headers, text })
              )
            ),
            Effect.timeout(deadlineMillis),
            Effect.provideService(HttpClient.TracerPropagationEnabled, false),
            // What went wrong may quote the request, which holds the token.
            Effect.mapError(({ _tag }) =>
              new PushUnavailable({ waitMillis: laterMillis, message: `Google does not answer (${_tag}).` })
            )
          )

        return Effect.fn("Fcm.send")(function*(device: Redacted.Redacted, message: PushMessage) {
          const waitMillis = yield* limits.take({ ...budget, tokens: 1 })
          if (waitMillis > 0) {
            return yield* new PushUnavailable({ waitMillis, message: "Google allows no more messages for now." })
          }
          const token = yield* getToken()
          const first = yield* post(token, device, message)
          // APNs credentials that Apple refuses are a 401, too, and no other token helps.
          const { headers, status, text } = first.status === 401
            ? yield* post(yield* getToken(token), device, message)
            : first
          if (status === 200) return
          const why = `Google answered ${status}: ${codeOf(text)}.`
          if (isGone(status, text)) return yield* new DeviceGone({ message: why })
          if (status === 429 || status >= 500) {
            return yield* pause(retryAfterMillis(headers) ?? laterMillis, why)
          }
          return yield* new PushRefused({ message: why })
        }, (self) =>
          self.pipe(
            Effect.tap(count("sent")),
            Effect.tapError((error) =>
              error._tag === "SqlError"
                ? Effect.void
                : count(
                  error._tag === "DeviceGone" ? "device_gone" : error._tag === "PushRefused" ? "refused" : "unavailable"
                )
            )
          ))
      })

      const account = settings.fcmAccount
      const send = Option.isNone(account)
        ? Option.none()
        : Option.some(yield* senderFor(Redacted.value(account.value)))
      return Fcm.of({ send })
    })
  )
}

const baseOf = (url: URL): URL => new URL(url.href.replace(/\/*$/, "/"))

/** One of FCM's words, such as UNREGISTERED; a message of Google may quote the device's token. */
const codeOf = (text: string): string =>
  Option.match(decodeProblem(text), {
    onNone: () => "no reason",
    onSome: ({ error }) => error.details?.find(({ errorCode }) => errorCode !== undefined)?.errorCode ?? "no reason"
  })

/** UNREGISTERED, SENDER_ID_MISMATCH, or INVALID_ARGUMENT where it is the token that is invalid. */
const isGone = (status: number, text: string): boolean => {
  const code = codeOf(text)
  if (status === 404) return code === "UNREGISTERED"
  if (status === 403) return code === "SENDER_ID_MISMATCH"
  if (status !== 400 || code !== "INVALID_ARGUMENT") return false
  const { details = [], message = "" } = Option.getOrThrow(decodeProblem(text)).error
  const fields = details.flatMap(({ fieldViolations = [] }) => fieldViolations.map(({ field }) => field))
  return fields.includes("message.token") || /registration token/i.test(message)
}
