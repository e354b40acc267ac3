/** What ESI tells of a pilot's character in its own name, asked so that an answer that is still the same costs half. */
import { Clock, Context, Effect, Layer, type Schema } from "effect"
import type { SqlError } from "effect/sql"
import { makeAsk } from "./Ask.ts"
import { decoder, type EsiAnswer } from "./EsiAnswer.ts"
import { type Bearer, EsiClient, type TokenGroup } from "./EsiClient.ts"
import type { EsiError } from "./EsiError.ts"
import { freshMillisOf } from "./EsiHeaders.ts"
import { Tranquility, tranquilityBucket } from "./Tranquility.ts"

export interface CharacterRoute<A> {
  /** As ESI's documentation names it, such as `/characters/{character_id}/skills`. */
  readonly route: string
  readonly group?: TokenGroup
  readonly schema: Schema.Codec<A, unknown>
}

export interface CharacterAnswer<A> {
  /** Absent while the answer with that etag is still the same. */
  readonly body?: A
  readonly etag: string | undefined
  /** Milliseconds for which asking again is forbidden. */
  readonly freshMillis: number
}

/** For an answer that does not say how long it is fresh. */
const unsaidMillis = 60_000

/** Fails with `EsiPaused` rather than wait long, and with `EsiRefused` (401, 403) where the token is no good for it. */
export class EsiCharacters extends Context.Service<EsiCharacters, {
  readonly ask: <A>(
    route: CharacterRoute<A>,
    path: string,
    as: Bearer,
    etag: string | undefined
  ) => Effect.Effect<CharacterAnswer<A>, EsiError | SqlError.SqlError>
}>()("killmaild/esi/EsiCharacters") {
  static readonly layer = Layer.effect(
    EsiCharacters,
    Effect.gen(function*() {
      const send = yield* makeAsk

      const ask: EsiCharacters["Service"]["ask"] = Effect.fn("EsiCharacters.ask")(
        function*({ group, route, schema }, path, as, etag) {
          const decode = decoder(schema)(path)
          const read = Effect.fnUntraced(function*(answer: EsiAnswer) {
            return {
              ...(answer.status === 304 ? {} : { body: yield* decode(answer) }),
              etag: answer.headers["etag"],
              freshMillis: freshMillisOf(answer.headers, yield* Clock.currentTimeMillis, unsaidMillis)
            }
          })
          const limit = group === undefined ? {} : { group }
          return yield* send({ route, path, as, etag, ...limit, pausedBy: [tranquilityBucket] }, read)
        }
      )

      return EsiCharacters.of({ ask })
    })
  ).pipe(Layer.provide(Layer.provideMerge(Tranquility.layer, EsiClient.layer)))
}
