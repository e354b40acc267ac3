/** What ESI tells a pilot of their own recent killmails, and a director of those of the corporation: ids and hashes. */
import { Clock, Context, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { Id, KillmailHash, type KillmailRef } from "../domain/Killmail.ts"
import { makeAsk } from "./Ask.ts"
import { decoder } from "./EsiAnswer.ts"
import { type Bearer, EsiClient, type TokenGroup } from "./EsiClient.ts"
import type { EsiError } from "./EsiError.ts"
import { freshMillisOf } from "./EsiHeaders.ts"
import { Tranquility, tranquilityBucket } from "./Tranquility.ts"

/** Whose killmails ESI lists. */
export interface KillmailListId {
  readonly kind: "character" | "corporation"
  readonly id: number
}

/** One page, newest first. */
export interface ListPage {
  /** Undefined where the page is what the etag was given for. */
  readonly refs: ReadonlyArray<KillmailRef> | undefined
  readonly etag: string | undefined
  /** How many pages there are. */
  readonly pages: number
  /** Milliseconds during which asking again is forbidden. */
  readonly freshMillis: number
}

/** ESI's `x-rate-limit` of these routes; the cache time where no header tells one. */
const [tokens, windowMillis, usualMillis] = [30, 15 * 60_000, 300_000]
const groupOf = (name: string): TokenGroup => ({ name, limit: tokens, windowMillis })
const routes = {
  character: { route: "/characters/{character_id}/killmails/recent", group: groupOf("char-killmail") },
  corporation: { route: "/corporations/{corporation_id}/killmails/recent", group: groupOf("corp-killmail") }
}

const decode = decoder(Schema.Array(Schema.Struct({ killmail_id: Id, killmail_hash: KillmailHash })))

export class EsiOwnKillmails extends Context.Service<EsiOwnKillmails, {
  /**
   * Fails with `EsiRefused` of status 401 for a token that is good no more, of 403 for who may not read the list, and with
   * `EsiNotFound` for a page after the last.
   */
  readonly page: (
    list: KillmailListId,
    page: number,
    asked: { readonly as: Bearer; readonly etag?: string | undefined }
  ) => Effect.Effect<ListPage, EsiError | SqlError.SqlError>
}>()("killmaild/esi/EsiOwnKillmails") {
  static readonly layer = Layer.effect(
    EsiOwnKillmails,
    Effect.gen(function*() {
      const ask = yield* makeAsk

      const page: EsiOwnKillmails["Service"]["page"] = Effect.fn("EsiOwnKillmails.page")(
        function*({ id, kind }, page, asked) {
          const { group, route } = routes[kind]
          const path = `${route.replace(/\{.*\}/, String(id))}?page=${page}`
          return yield* ask(
            { route, group, path, pausedBy: [tranquilityBucket], ...asked },
            (answer) =>
              Effect.gen(function*() {
                const { etag, "x-pages": pages } = answer.headers
                const refs = answer.status === 304 ? undefined : yield* decode(path)(answer)
                return {
                  refs: refs?.map(({ killmail_hash, killmail_id }) => ({ killmail_id, hash: killmail_hash })),
                  etag,
                  pages: Number(pages ?? 1),
                  freshMillis: freshMillisOf(answer.headers, yield* Clock.currentTimeMillis, usualMillis)
                }
              })
          )
        }
      )

      return EsiOwnKillmails.of({ page })
    })
  ).pipe(Layer.provide(Layer.provideMerge(Tranquility.layer, EsiClient.layer)))
}
