/** Asks ESI for one character: what is fresh not at all, what is known by its ETag, and once more where a token was refused. */
import { Clock, Effect, type Redacted } from "effect"
import { AccessTokens, askWithToken } from "../accounts/AccessTokens.ts"
import { EsiCharacters } from "../esi/EsiCharacters.ts"
import { isUnauthorized } from "../esi/EsiError.ts"
import type { KnownAnswer, KnownAnswers } from "../store/CharacterData.ts"
import type { Ask } from "./Kind.ts"

interface Unkept {
  readonly answer: KnownAnswer
  readonly body: unknown
}

/** By path, what was answered to syncs that have not come to their end: who tries again is not to ask for it too soon. */
const unkeptOf = new WeakMap<EsiCharacters["Service"], Map<string, Unkept>>()

const forgetStale = (unkept: Map<string, Unkept>, now: number) => {
  for (const [path, { answer }] of unkept) if (answer.fresh_until <= now) unkept.delete(path)
}

/** `answers` are those that were used, as they are known by then; `kept` is for when they are. */
export const askerFor = Effect.fnUntraced(function*(characterId: number, known: KnownAnswers) {
  const esi = yield* EsiCharacters
  const tokens = yield* AccessTokens
  const unkept = unkeptOf.get(esi) ?? new Map<string, Unkept>()
  unkeptOf.set(esi, unkept)
  const used = new Map<string, KnownAnswer>()

  const ask: Ask = Effect.fnUntraced(function*(route, knownBody, ids = {}) {
    const path = pathOf(route.route, { ...ids, character_id: characterId })
    forgetStale(unkept, yield* Clock.currentTimeMillis)
    const held = unkept.get(path)
    if (held !== undefined) {
      used.set(path, held.answer)
      return { body: held.body as typeof knownBody & {}, at: held.answer.asked_at }
    }
    const last = knownBody === undefined ? undefined : known[path]
    if (last !== undefined && knownBody !== undefined && last.fresh_until > (yield* Clock.currentTimeMillis)) {
      used.set(path, last)
      return { body: knownBody, at: last.asked_at }
    }
    const askWith = (token: Redacted.Redacted) => esi.ask(route, path, { characterId, token }, last?.etag)
    const answer = yield* askWithToken(characterId, askWith, isUnauthorized).pipe(
      Effect.provideService(AccessTokens, tokens)
    )
    const at = yield* Clock.currentTimeMillis
    // Without a body it is the one whose ETag was shown.
    const body = answer.body ?? knownBody!
    const told = { etag: answer.etag, asked_at: at, fresh_until: at + answer.freshMillis }
    used.set(path, told)
    unkept.set(path, { answer: told, body })
    return { body, at }
  })

  return {
    ask,
    answers: () => Object.fromEntries(used),
    kept: () => {
      for (const path of used.keys()) unkept.delete(path)
    }
  }
})

const pathOf = (route: string, ids: Readonly<Record<string, number>>): string =>
  route.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(ids[name]))
