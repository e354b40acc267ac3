/**
 * What killmaild asks of ESI, EVE's own API: with retries, within its limits, and nothing twice.
 * The way of a question: Esi → EsiClient (budgets, one request) → ESI; Tranquility where answers look like a downtime.
 */
import { Context, Effect, Layer, Option, Random, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { crashPoint } from "../CrashPoint.ts"
import { Killmail, type KillmailRef } from "../domain/Killmail.ts"
import { CachedData } from "../store/CachedData.ts"
import { type EsiAnswer, isHtml } from "./EsiAnswer.ts"
import { EsiClient, type EsiRequest } from "./EsiClient.ts"
import { EsiError, EsiPaused, type EsiReason, EsiUndecodable } from "./EsiError.ts"
import { countCache } from "./EsiMetrics.ts"
import { Tranquility, tranquilityBucket } from "./Tranquility.ts"

/** 2 quick retries: what lasts longer is the job's to repeat. */
const retries = 2
const backoffMillis = 200

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
    ref: KillmailRef
  ) => Effect.Effect<{ readonly killmail: Killmail; readonly fromCache: boolean }, EsiError | SqlError.SqlError>
}>()("killmaild/esi/Esi") {
  static readonly layerNoDeps = Layer.effect(
    Esi,
    Effect.gen(function*() {
      const client = yield* EsiClient
      const tranquility = yield* Tranquility
      const cache = yield* CachedData

      /** Fails with the answer's problem when that is not a passing one, or did not pass. */
      const ask = Effect.fnUntraced(
        function*<A>(request: EsiRequest, decode: (answer: EsiAnswer) => Effect.Effect<A, EsiError>) {
          const { path } = request
          const whileDown = (waitMillis: number) => {
            const why = "Tranquility is down."
            return new EsiError({ reason: new EsiPaused({ path, bucket: tranquilityBucket, waitMillis, why }) })
          }
          let failures = 0
          while (true) {
            const outcome = yield* client.get(request).pipe(
              Effect.flatMap(decode),
              Effect.map((value) => ({ value })),
              Effect.catchTag("EsiError", Effect.succeed)
            )
            if ("value" in outcome) return outcome.value
            const { reason } = outcome
            if (reason._tag === "EsiPaused" && reason.bucket === tranquilityBucket) {
              const wait = yield* tranquility.check({ suspected: false })
              if (wait > 0) return yield* whileDown(wait)
            } else if (!isPassing(reason)) {
              return yield* outcome
            } else if (failures < retries) {
              yield* Effect.sleep(backoffMillis * 2 ** failures * (1 + (yield* Random.next)))
              failures += 1
            } else {
              const wait = looksLikeDowntime(reason) ? yield* tranquility.check({ suspected: true }) : 0
              return yield* wait > 0 ? whileDown(wait) : outcome
            }
          }
        }
      )

      const killmail = Effect.fn("Esi.killmail")(function*(ref: KillmailRef) {
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
        const { text, killmail } = yield* ask({ ...killmailRoute, path }, (answer) =>
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

/** May be gone at the next try. */
const isPassing = (reason: EsiReason): boolean => reason._tag === "EsiUnavailable" || reason._tag === "EsiUndecodable"

const looksLikeDowntime = (reason: EsiReason): boolean =>
  reason._tag === "EsiUnavailable" && (reason.status === undefined || (reason.status >= 502 && reason.status <= 504))
