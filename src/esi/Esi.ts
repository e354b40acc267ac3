/**
 * What killmaild asks of ESI, EVE's own API: with retries, within its limits, and nothing twice.
 * The way of a question: Esi → Ask (retries) → EsiClient (budgets, one request) → ESI; Tranquility where answers look like
 * a downtime.
 */
import { Context, Effect, Layer, Option, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { crashPoint } from "../CrashPoint.ts"
import { Killmail, type KillmailRef } from "../domain/Killmail.ts"
import { CachedData } from "../store/CachedData.ts"
import { makeAsk } from "./Ask.ts"
import { isHtml } from "./EsiAnswer.ts"
import { EsiClient, type EsiRequest } from "./EsiClient.ts"
import { EsiError, EsiUndecodable } from "./EsiError.ts"
import { countCache } from "./EsiMetrics.ts"
import { Tranquility, tranquilityBucket } from "./Tranquility.ts"

/** A body never changes; the ledger remembers it for good. */
const keptMillis = 24 * 3_600_000

const killmailRoute = {
  route: "/killmails/{killmail_id}/{killmail_hash}",
  group: { name: "killmail", limit: 3600, windowMillis: 15 * 60_000 },
  pausedBy: [tranquilityBucket]
}

const decodeBody = Schema.decodeUnknownEffect(Schema.fromJsonString(Killmail))

/**
 * Asks ESI. Waits for a budget up to a second, beyond it fails with `EsiPaused`: reschedule by its `waitMillis`, which
 * costs no attempt.
 */
export class Esi extends Context.Service<Esi, {
  /** The body that ESI gives for this id and hash. Hash and body are not compared: ESI's answer is the truth. */
  readonly killmail: (
    ref: KillmailRef,
    options?: Pick<EsiRequest, "isUnhurried">
  ) => Effect.Effect<{ readonly killmail: Killmail; readonly fromCache: boolean }, EsiError | SqlError.SqlError>
}>()("killmaild/esi/Esi") {
  static readonly layerNoDeps = Layer.effect(
    Esi,
    Effect.gen(function*() {
      const ask = yield* makeAsk
      const cache = yield* CachedData

      const killmail: Esi["Service"]["killmail"] = Effect.fn("Esi.killmail")(function*(ref, options) {
        yield* Effect.annotateCurrentSpan("killmail.id", ref.killmail_id)
        const path = `/killmails/${ref.killmail_id}/${encodeURIComponent(ref.hash)}`
        const key = `esi:${path}`
        const decode = decodeKillmail(ref, path)
        const kept = yield* cache.get(key)
        if (Option.isSome(kept)) {
          // What an earlier version kept and this one cannot read is asked again.
          const decoded = yield* Effect.option(decode(kept.value))
          if (Option.isSome(decoded)) {
            yield* countCache("hit")
            return { killmail: decoded.value, fromCache: true }
          }
        }
        yield* countCache("miss")
        const { text, killmail } = yield* ask({ ...killmailRoute, ...options, path }, (answer) =>
          isHtml(answer)
            ? undecodable(path, "it is a page of HTML.")
            : Effect.map(decode(answer.text), (killmail) => ({ text: answer.text, killmail })))
        yield* crashPoint("body fetched, not kept")
        yield* cache.put({ key, text, millis: keptMillis })
        return { killmail, fromCache: false }
      })

      return Esi.of({ killmail })
    })
  )

  static readonly layer = Esi.layerNoDeps.pipe(Layer.provide(Layer.provideMerge(Tranquility.layer, EsiClient.layer)))
}

const undecodable = (path: string, problem: string) =>
  Effect.fail(new EsiError({ reason: new EsiUndecodable({ path, problem }) }))

const decodeKillmail = (ref: KillmailRef, path: string) => (text: string): Effect.Effect<Killmail, EsiError> =>
  text === ""
    ? undecodable(path, "it is empty.")
    : decodeBody(text).pipe(
      Effect.catchTag("SchemaError", (error) => undecodable(path, error.message.slice(0, 300))),
      Effect.flatMap((killmail) =>
        killmail.killmail_id === ref.killmail_id
          ? Effect.succeed(killmail)
          : undecodable(path, `it is killmail ${killmail.killmail_id}.`)
      )
    )
