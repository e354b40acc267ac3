/** Tells one webhook of one killmail: writes it in the webhook's format, waits for its turn, and sends it. */
import { Clock, Context, Effect, Layer, Option, Redacted, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { EncryptionKeys, type EncryptionKeysUnavailable } from "../accounts/EncryptionKeys.ts"
import { idsOf, type KillmailRow, toDocument } from "../domain/Document.ts"
import type { Filter } from "../domain/Filter.ts"
import { Settings } from "../Settings.ts"
import { StaticData } from "../static-data/StaticData.ts"
import { Names } from "../store/Names.ts"
import { RateLimits } from "../store/RateLimits.ts"
import type { SealedWebhook, WebhookFormat } from "../store/Webhooks.ts"
import { discordMessage } from "./DiscordMessage.ts"
import { reportOf } from "./KillmailReport.ts"
import { signedHeaders } from "./SignedMessage.ts"
import { slackMessage } from "./SlackMessage.ts"
import { pauseAfter, type Verdict, verdictOf } from "./Verdict.ts"
import { openWebhook, type WebhookSecrets, type WebhookUnreadable } from "./WebhookCipher.ts"
import { type WebhookAnswer, WebhookClient, type WebhookForbidden, type WebhookUnreachable } from "./WebhookClient.ts"

/** It is not its turn: nothing was sent. */
export class WebhookPaused extends Schema.TaggedError<WebhookPaused>()("WebhookPaused", {
  waitMillis: Schema.Finite,
  because: Schema.String
}) {
  override get message() {
    return `Nothing is sent there for another ${Math.ceil(this.waitMillis / 1000)} s: ${this.because}.`
  }
}

export type SendError =
  | WebhookPaused
  | WebhookUnreachable
  | WebhookForbidden
  | WebhookUnreadable
  | EncryptionKeysUnavailable
  | SqlError.SqlError

export interface Target {
  readonly id: string
  readonly format: WebhookFormat
  readonly filter: Filter
  readonly sealed: SealedWebhook
}

/** Messages that may be sent in so many milliseconds over all replicas, unless the receiver's answers say less. */
export const budgets: Readonly<Record<WebhookFormat, { readonly limit: number; readonly windowMillis: number }>> = {
  discord: { limit: 5, windowMillis: 2000 },
  slack: { limit: 1, windowMillis: 1000 },
  json: { limit: 50, windowMillis: 1000 }
}
/** Discord lets one address send 50 requests a second; others are spared more than they are used to. */
const ofHost = { limit: 40, windowMillis: 1000 }
/** A longer wait is the caller's. */
const longestSleepMillis = 300
/** Nothing is sent to one who did not answer: others are not to wait behind many that end in the deadline. */
const unansweredMillis = 60_000

export class WebhookSender extends Context.Service<WebhookSender, {
  /** What a receiver gets under the same `messageId`, it may take for the same message. */
  readonly send: (
    target: Target,
    row: KillmailRow,
    messageId: string
  ) => Effect.Effect<{ readonly answer: WebhookAnswer; readonly verdict: Verdict }, SendError>
}>()("killmaild/webhooks/WebhookSender") {
  static readonly layer = Layer.effect(
    WebhookSender,
    Effect.gen(function*() {
      const { publicUrl } = yield* Settings
      const keys = yield* EncryptionKeys
      const client = yield* WebhookClient
      const limits = yield* RateLimits
      const names = yield* Names
      const staticData = yield* StaticData

      const opened = Effect.fnUntraced(function*({ id, sealed }: Target) {
        const all = yield* keys.all
        return yield* Effect.try({
          try: () => openWebhook(all, id, sealed),
          catch: (error) => error as WebhookUnreadable
        })
      })

      const written = Effect.fnUntraced(function*({ filter, format }: Target, row: KillmailRow) {
        const { facts } = yield* staticData.factsFor({ typeIds: [], systemIds: [row.solar_system_id] })
        const region = facts.system(row.solar_system_id)?.regionId
        const known = yield* names.namesOf([...idsOf(row), ...(region === undefined ? [] : [region])])
        if (format === "json") return JSON.stringify(toDocument(row, known))
        const report = reportOf({ row, names: known, facts, filter, publicUrl: Option.getOrUndefined(publicUrl) })
        return JSON.stringify(format === "discord" ? discordMessage(report) : slackMessage(report))
      })

      /** One bucket for the webhook, one for its host; a pause of either stops it. */
      const turn = Effect.fnUntraced(function*(format: WebhookFormat, mine: string, host: string) {
        const take = (bucket: string, budget: typeof ofHost) =>
          limits.take({ bucket, ...budget, tokens: 1, pausedBy: [mine, host] })
        for (const [bucket, budget] of [[mine, budgets[format]], [host, ofHost]] as const) {
          for (let slept = 0;;) {
            const wait = yield* take(bucket, budget)
            if (wait <= 0) break
            if (slept + wait > longestSleepMillis) {
              const paused = (yield* limits.list([mine, host])).find(({ pauseMillis }) => pauseMillis > 0)
              const because = paused?.reason ?? "as much was sent as may be"
              return yield* new WebhookPaused({ waitMillis: wait, because })
            }
            yield* Effect.sleep(wait)
            slept += wait
          }
        }
      })

      const signed = Effect.fnUntraced(function*({ secret }: WebhookSecrets, id: string, body: string) {
        return secret === null ? {} : signedHeaders(id, yield* Clock.currentTimeMillis, body, secret)
      })

      const send: WebhookSender["Service"]["send"] = Effect.fn("WebhookSender.send")(
        function*(target, row, messageId) {
          const secrets = yield* opened(target)
          const url = new URL(Redacted.value(secrets.url))
          // Without it Discord says that all is well before it has looked.
          if (target.format === "discord") url.searchParams.set("wait", "true")
          const [mine, host] = [`webhook:${target.id}`, `webhook-host:${url.host}`]
          const body = yield* written(target, row)
          yield* turn(target.format, mine, host)
          const answer = yield* client.post(url, yield* signed(secrets, messageId, body), body).pipe(
            Effect.tapErrorTag(
              "WebhookUnreachable",
              ({ message }) =>
                limits.pause({ bucket: mine, millis: unansweredMillis, reason: message.replace(/\.$/, "") })
            )
          )
          const verdict = verdictOf(target.format, answer)
          const millis = verdict._tag === "Wait" ? verdict.millis : pauseAfter(answer)
          if (millis > 0) {
            const bucket = verdict._tag === "Wait" && verdict.scope === "host" ? host : mine
            yield* limits.pause({ bucket, millis, reason: `the receiver answered ${answer.status}` })
          }
          return { answer, verdict }
        }
      )

      return WebhookSender.of({ send })
    })
  )
}
