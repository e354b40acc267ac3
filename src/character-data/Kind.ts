/** One kind of what ESI tells of a character: what is asked, what the document of it is, and what a change of it means. */
import type { Effect, Schema } from "effect"
import type { SqlError } from "effect/sql"
import type { TokenError } from "../accounts/AccessTokens.ts"
import type { CharacterRoute } from "../esi/EsiCharacters.ts"
import type { EsiError } from "../esi/EsiError.ts"
import type { Change, CharacterDataKind } from "../store/CharacterData.ts"

export type AskError = EsiError | TokenError | SqlError.SqlError

/**
 * Asks ESI, unless what is known is still fresh. `ids` fill in the route beside the character's; `at` is when ESI answered, in
 * milliseconds since 1970.
 */
export type Ask = <A>(
  route: CharacterRoute<A>,
  known: A | undefined,
  ids?: Readonly<Record<string, number>>
) => Effect.Effect<{ readonly body: A; readonly at: number }, AskError>

/** The time between two syncs, in milliseconds since 1970. */
export interface Between {
  readonly characterId: number
  readonly since: number
  readonly until: number
}

export interface Kind<D> {
  readonly name: CharacterDataKind
  /** Without any of them it is not asked for. */
  readonly scopes: ReadonlyArray<string>
  readonly document: Schema.Codec<D, unknown>
  readonly read: (ask: Ask, before: D | undefined) => Effect.Effect<D, AskError>
  readonly changes: (before: D, after: D, between: Between) => ReadonlyArray<Change>
  /** When something ends by the clock alone, which no one has to do anything for. */
  readonly ends: (document: D) => ReadonlyArray<string>
}

/** ESI's window of every bucket. */
const quarter = 15 * 60_000

/** A bucket that each character has for itself, of 600 tokens. */
export const groupOf = (name: string) => ({ name, limit: 600, windowMillis: quarter })

export const isoOf = (millis: number): string => new Date(millis).toISOString()
