/**
 * Whether the game server behind ESI is up. While it is not, asking ESI for anything only burns its error limit, so the
 * bucket `tranquility` is paused for all replicas, and one of them at a time asks `/status`, when somebody wants ESI.
 */
import { Clock, Context, Effect, Layer, Random, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { RateLimits } from "../store/RateLimits.ts"
import type { EsiAnswer } from "./EsiAnswer.ts"
import { EsiClient, type EsiRequest } from "./EsiClient.ts"
import { readFreshness } from "./EsiHeaders.ts"
import { setPaused } from "./EsiMetrics.ts"

/** Every route but `/status` names it in `pausedBy`. */
export const tranquilityBucket = "tranquility"

const request: EsiRequest = {
  route: "/status",
  path: "/status",
  group: { name: "status", limit: 600, windowMillis: 15 * 60_000 }
}

/** ESI keeps `/status` for 30 s, and an unanswered request takes half of that: nobody else asks meanwhile. */
const claimMillis = 30_000
/** A pause that nobody asks about any more ends by itself. */
const pauseMillis = 3_600_000

const decodeStatus = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Struct({ players: Schema.Finite })))

export class Tranquility extends Context.Service<Tranquility, {
  /**
   * 0 when it is up as far as anybody knows, else the milliseconds until asking again makes sense. Asks `/status` when
   * that is due, over all replicas; `suspected` (by answers that look like a downtime) holds everybody back meanwhile.
   */
  readonly check: (doubt: { readonly suspected: boolean }) => Effect.Effect<number, SqlError.SqlError>
}>()("killmaild/esi/Tranquility") {
  static readonly layer = Layer.effect(
    Tranquility,
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const client = yield* EsiClient

      /** Until the pause ends or the next probe is due. */
      const waitMillis = Effect.gen(function*() {
        const [state] = yield* limits.list([tranquilityBucket])
        const paused = state !== undefined && state.pauseMillis > 0
        yield* setPaused(tranquilityBucket, paused)
        return paused ? Math.max(Math.min(state.pauseMillis, state.probeMillis), 1) : 0
      })

      const isUp = Effect.fnUntraced(function*(answer: EsiAnswer) {
        yield* limits.resume(tranquilityBucket)
        const freshness = readFreshness(answer.headers, yield* Clock.currentTimeMillis)
        yield* limits.scheduleProbe({ bucket: tranquilityBucket, millis: freshness ?? claimMillis })
      })

      const isDown = Effect.fnUntraced(function*(why: string) {
        yield* limits.pause({ bucket: tranquilityBucket, millis: pauseMillis, reason: `Tranquility is down: ${why}` })
        // Errors are not cached; 10 to 30 s after each.
        yield* limits.scheduleProbe({ bucket: tranquilityBucket, millis: 10_000 + 20_000 * (yield* Random.next) })
        yield* Effect.logWarning("Tranquility is down", { why })
      })

      const probe = client.send(request).pipe(
        Effect.tap((answer) => decodeStatus(answer.text)),
        Effect.flatMap(isUp),
        Effect.catchTag("SchemaError", () => isDown("/status does not answer with a status.")),
        Effect.catchTag("EsiError", ({ reason }) => {
          switch (reason._tag) {
            case "EsiUnavailable":
              return isDown(reason.message)
            // Not allowed to ask: nothing is learnt, and the claim holds.
            case "EsiPaused":
              return Effect.void
            // It answers; that `/status` itself went away must not stop everything else.
            default:
              return Effect.andThen(
                Effect.logWarning("ESI's /status cannot be asked", { problem: reason.message }),
                limits.resume(tranquilityBucket)
              )
          }
        })
      )

      const check: Tranquility["Service"]["check"] = Effect.fnUntraced(function*({ suspected }) {
        if (yield* limits.claimProbe({ bucket: tranquilityBucket, millis: claimMillis })) {
          if (suspected) {
            const reason = "Tranquility may be down: /status is being asked."
            yield* limits.pause({ bucket: tranquilityBucket, millis: pauseMillis, reason })
          }
          yield* probe
        }
        return yield* waitMillis
      })

      return Tranquility.of({ check })
    })
  )
}
