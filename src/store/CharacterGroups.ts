/** Mains and their alts, as the operator says. A character is in one group at most. */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { pgArray } from "./PgArray.ts"

export interface CharacterGroup {
  readonly main_character_id: number
  readonly alts: ReadonlyArray<number>
}

/** Somebody who is in another group already. */
export interface Grouped {
  readonly character_id: number
  readonly main_character_id: number
}

export class CharacterGroups extends Context.Service<CharacterGroups, {
  /**
   * Makes these the alts of this main, and no others; without alts there is no group any more. Returns somebody who is in
   * another group: then nothing has changed.
   */
  readonly set: (group: CharacterGroup) => Effect.Effect<Option.Option<Grouped>, SqlError.SqlError>
}>()("killmaild/store/CharacterGroups") {
  static readonly layer = Layer.effect(
    CharacterGroups,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const set: CharacterGroups["Service"]["set"] = ({ alts, main_character_id }) =>
        sql.withTransaction(Effect.gen(function*() {
          const main = BigInt(main_character_id)
          // Two operators at once would not see each other's groups.
          yield* sql`lock table character_groups in share row exclusive mode`
          const [grouped] = yield* sql<Grouped>`
            select character_id::float8, main_character_id::float8
            from character_groups
            where main_character_id <> ${main} and character_id = any(${
            pgArray([main_character_id, ...alts])
          }::bigint[])
              or main_character_id = any(${pgArray(alts)}::bigint[])
            limit 1`
          if (grouped !== undefined) return Option.some(grouped)
          yield* sql`delete from character_groups where main_character_id = ${main}`
          yield* sql`
            insert into character_groups (character_id, main_character_id)
            select distinct alt, ${main}::bigint from unnest(${pgArray(alts)}::bigint[]) alt`
          return Option.none<Grouped>()
        }))

      return CharacterGroups.of({ set })
    })
  )
}
