/** Killmails named by hand: `killmaild add`, `POST /api/v1/killmails`. They walk like any other, a little behind live ones. */
import { Context, Effect, Layer, Option } from "effect"
import type { SqlError } from "effect/sql"
import type { KillmailRef } from "../domain/Killmail.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { KillmailStore } from "../store/KillmailStore.ts"
import { currentTraceparent } from "../telemetry/TraceContext.ts"
import { hearingOf, keyOf } from "./Hearing.ts"

/** `known` comes with the hash that is stored. `refused_before`: ESI said for good that there is no such killmail; `queue retry` asks again all the same. */
export interface Submitted extends KillmailRef {
  readonly status: "queued" | "known" | "refused_before"
}

export class Submissions extends Context.Service<Submissions, {
  readonly submit: (ref: KillmailRef) => Effect.Effect<Submitted, SqlError.SqlError>
}>()("killmaild/intake/Submissions") {
  static readonly layer = Layer.effect(
    Submissions,
    Effect.gen(function*() {
      const feeds = yield* FeedStore
      const store = yield* KillmailStore

      const submit = Effect.fn("Submissions.submit")(function*(ref: KillmailRef) {
        const known = yield* store.publicHash(ref.killmail_id)
        const refused = Option.isNone(known) && (yield* feeds.isRefused(keyOf(ref)))
        yield* feeds.hearByHand(hearingOf("manual", "user", ref, yield* currentTraceparent))
        const status = Option.isSome(known) ? "known" as const : refused ? "refused_before" as const : "queued" as const
        return { killmail_id: ref.killmail_id, hash: Option.getOrElse(known, () => ref.hash), status }
      })

      return Submissions.of({ submit })
    })
  )
}
