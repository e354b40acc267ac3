/**
 * zKillboard's API: the killmails of a character, corporation or alliance, newest first, 200 a page with bodies. It tells 100
 * pages of a question, and errs with HTTP 200.
 */
import { Context, Effect, Layer, Option, Schema } from "effect"
import { Id, KillmailHash, type KillmailRef } from "../domain/Killmail.ts"
import { Settings } from "../Settings.ts"
import { makePoliteClient, type UpstreamError, UpstreamUnavailable } from "./PoliteClient.ts"

/** Milliseconds between two requests: its maintainer asks for one a second. */
const intervalMillis = 1000
/** Milliseconds; pages that nobody asked for lately took up to 37 s. */
const deadlineMillis = 120_000

/** Of one question; each page after them is refused. */
export const mostPages = 100

export interface Question {
  readonly kind: "character" | "corporation" | "alliance"
  readonly id: number
  /** `2026-03`: killed in that month only. */
  readonly month?: string
}

/** A killmail of a page; without a body in pages of the form that ended in June 2026. */
export interface Entry extends KillmailRef {
  readonly zkb: unknown
  readonly body?: unknown
}

const ListedMail = Schema.Struct({ killmail_id: Id, zkb: Schema.Struct({ hash: KillmailHash }) })
const isListedMail = Schema.is(ListedMail)
const Page = Schema.fromJsonString(Schema.Union([
  Schema.Array(Schema.Unknown),
  Schema.Struct({ error: Schema.String })
]))

export class ZkbApi extends Context.Service<ZkbApi, {
  /** A page, from 1; an empty one is after the last. What names no killmail is left out. */
  readonly page: (question: Question, page: number) => Effect.Effect<ReadonlyArray<Entry>, UpstreamError>
}>()("killmaild/upstreams/ZkbApi") {
  static readonly layer = Layer.effect(
    ZkbApi,
    Effect.gen(function*() {
      const { scheduleSpeed, zkillboardUrl } = yield* Settings
      const client = yield* makePoliteClient({
        name: "zKillboard",
        base: zkillboardUrl,
        budget: { bucket: "zkillboard", limit: 1, windowMillis: Math.ceil(intervalMillis / scheduleSpeed) },
        deadlineMillis
      })

      const page: ZkbApi["Service"]["page"] = Effect.fnUntraced(function*(question, page) {
        const answer = yield* client.json(`${pathOf(question)}page/${page}/`, Page)
        const found = Option.getOrElse(answer, () => [])
        if ("error" in found) return yield* new UpstreamUnavailable({ message: `zKillboard says: ${found.error}` })
        const entries = found.flatMap((mail) => isListedMail(mail) ? [entryOf(mail)] : [])
        if (found.length > 0 && entries.length === 0) {
          return yield* new UpstreamUnavailable({ message: "zKillboard's answer names no killmail." })
        }
        return entries
      })

      return ZkbApi.of({ page })
    })
  )
}

/** Without the last slash, or with a query, it answers nothing. */
const pathOf = ({ id, kind, month }: Question): string => {
  const [year, number] = month?.split("-") ?? []
  return `/api/${kind}ID/${id}/${year === undefined ? "" : `year/${year}/month/${Number(number)}/`}`
}

const entryOf = ({ zkb, ...body }: typeof ListedMail.Type): Entry => ({
  killmail_id: body.killmail_id,
  hash: zkb.hash,
  zkb,
  ...("victim" in body ? { body } : {})
})
