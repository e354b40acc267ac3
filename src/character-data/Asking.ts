/** Asks ESI for one character: what is fresh not at all, what is known by its ETag, and once more where a token was refused. */
import { Clock, Effect, type Redacted } from "effect"
import { AccessTokens } from "../accounts/AccessTokens.ts"
import { EsiCharacters } from "../esi/EsiCharacters.ts"
import type { KnownAnswer, KnownAnswers } from "../store/CharacterData.ts"
import type { Ask } from "./Kind.ts"

/** `answers` are those that were used, as they are known by then. */
export const askerFor = Effect.fnUntraced(function*(characterId: number, known: KnownAnswers) {
  const esi = yield* EsiCharacters
  const tokens = yield* AccessTokens
  const used = new Map<string, KnownAnswer>()

  const ask: Ask = Effect.fnUntraced(function*(route, knownBody, ids = {}) {
    const path = pathOf(route.route, { ...ids, character_id: characterId })
    const last = knownBody === undefined ? undefined : known[path]
    if (last !== undefined && knownBody !== undefined && last.fresh_until > (yield* Clock.currentTimeMillis)) {
      used.set(path, last)
      return { body: knownBody, at: last.asked_at }
    }
    const askWith = (token: Redacted.Redacted) => esi.ask(route, path, { characterId, token }, last?.etag)
    const token = yield* tokens.of(characterId)
    const answer = yield* askWith(token).pipe(
      Effect.catchIf(
        (error) => error._tag === "EsiError" && error.reason._tag === "EsiRefused" && error.reason.status === 401,
        () => Effect.flatMap(tokens.of(characterId, { otherThan: token }), askWith)
      )
    )
    const at = yield* Clock.currentTimeMillis
    used.set(path, { etag: answer.etag, asked_at: at, fresh_until: at + answer.freshMillis })
    // Without a body it is the one whose ETag was shown.
    return { body: answer.body ?? knownBody!, at }
  })

  return { ask, answers: () => Object.fromEntries(used) }
})

const pathOf = (route: string, ids: Readonly<Record<string, number>>): string =>
  route.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(ids[name]))
