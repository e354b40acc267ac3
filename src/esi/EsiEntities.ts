/** What ESI knows of characters, corporations and alliances: names and affiliations by the thousand, the rest one by one. */
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { makeAsk } from "./Ask.ts"
import { decoder } from "./EsiAnswer.ts"
import { EsiClient, type EsiRequest } from "./EsiClient.ts"
import type { EsiError } from "./EsiError.ts"
import { Tranquility, tranquilityBucket } from "./Tranquility.ts"

/** Ids in one question to `names` and `affiliations`. */
export const mostIds = 1000

const Name = Schema.Struct({ id: Schema.Int, name: Schema.String })
const Affiliation = Schema.Struct({
  character_id: Schema.Int,
  corporation_id: Schema.Int,
  alliance_id: Schema.optionalKey(Schema.Int),
  faction_id: Schema.optionalKey(Schema.Int)
})
const Character = Schema.Struct({
  name: Schema.String,
  corporation_id: Schema.Int,
  alliance_id: Schema.optionalKey(Schema.Int),
  faction_id: Schema.optionalKey(Schema.Int)
})
const Corporation = Schema.Struct({
  name: Schema.String,
  ticker: Schema.String,
  alliance_id: Schema.optionalKey(Schema.Int),
  enlisted_faction_id: Schema.optionalKey(Schema.Int),
  /** `active` or `closed`; before 2026-07-21 ESI does not say. */
  state: Schema.optionalKey(Schema.String)
})
const Alliance = Schema.Struct({
  name: Schema.String,
  ticker: Schema.String,
  /** Absent when it is closed. */
  executor_corporation_id: Schema.optionalKey(Schema.Int)
})

export type Name = typeof Name.Type
export type Affiliation = typeof Affiliation.Type
export type Character = typeof Character.Type
export type Corporation = typeof Corporation.Type
export type Alliance = typeof Alliance.Type

/** At most `mostIds`, each once. One id that ESI does not know makes it refuse all: 404 for names, 400 for affiliations. */
type Ask<A> = (ids: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<A>, EsiError | SqlError.SqlError>
/** Fails with `EsiNotFound` for one that never was, or is no more. */
type Lookup<A> = (id: number) => Effect.Effect<A, EsiError | SqlError.SqlError>

/** Each fails with `EsiPaused` rather than wait long. An answer may be an hour old, a character's a day. */
export class EsiEntities extends Context.Service<EsiEntities, {
  readonly names: Ask<Name>
  readonly affiliations: Ask<Affiliation>
  readonly character: Lookup<Character>
  readonly corporation: Lookup<Corporation>
  readonly alliance: Lookup<Alliance>
}>()("killmaild/esi/EsiEntities") {
  static readonly layer = Layer.effect(
    EsiEntities,
    Effect.gen(function*() {
      const ask = yield* makeAsk

      const question = <A>(schema: Schema.Codec<A, unknown>) => {
        const decode = decoder(schema)
        return (request: EsiRequest) => ask({ ...request, pausedBy: [tranquilityBucket] }, decode(request.path))
      }
      const together = <A>(path: string, item: Schema.Codec<A, unknown>): Ask<A> => {
        const questionOf = question(Schema.Array(item))
        return (ids) => questionOf({ route: path, path, body: ids })
      }
      const each = <A>(route: string, schema: Schema.Codec<A, unknown>): Lookup<A> => {
        const questionOf = question(schema)
        return (id) => questionOf({ route, path: route.replace(/\{.*\}/, String(id)) })
      }

      return EsiEntities.of({
        names: together("/universe/names", Name),
        affiliations: together("/characters/affiliation", Affiliation),
        character: each("/characters/{character_id}", Character),
        corporation: each("/corporations/{corporation_id}", Corporation),
        alliance: each("/alliances/{alliance_id}", Alliance)
      })
    })
  ).pipe(Layer.provide(Layer.provideMerge(Tranquility.layer, EsiClient.layer)))
}
