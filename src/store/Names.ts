/** What ids are called, as `/universe/names` would answer, but only what is known here: characters to solar systems. */
import { Clock, Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { pgArray } from "./PgArray.ts"

/** A name that changed is seen after three of these at the latest: a minute. One that was learnt is seen at once. */
const turnMillis = 20_000
/** Twice as many names are kept at most; some 100 bytes each. */
const mostYoung = 25_000
/** Players' ids are greater, those of the game itself smaller. */
const firstPlayer = 90_000_000

export class Names extends Context.Service<Names, {
  /** Without the ids whose names are unknown. One query for all that was not asked for within the last minute. */
  readonly namesOf: (ids: Iterable<number>) => Effect.Effect<ReadonlyMap<number, string>, SqlError.SqlError>
}>()("killmaild/store/Names") {
  static readonly layer = Layer.effect(
    Names,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      // Two halves: when the young one is full, or has had its time, it takes the place of the old one.
      let young = new Map<number, string>()
      let old = new Map<number, string>()
      let since = yield* Clock.currentTimeMillis

      const turn = (now: number) => {
        if (now - since < turnMillis && young.size < mostYoung) return
        old = now - since < 2 * turnMillis ? young : new Map()
        young = new Map()
        since = now
      }

      const read = Effect.fnUntraced(function*(ids: ReadonlyArray<number>) {
        const players = pgArray(ids.filter((id) => id >= firstPlayer))
        const things = pgArray(ids.filter((id) => id < firstPlayer))
        return yield* sql<{ id: number; name: string }>`
          select character_id::float8 as id, name from characters
          where character_id = any(${players}::bigint[]) and name is not null
          union all
          select corporation_id::float8, name from corporations
          where corporation_id = any(${players}::bigint[]) and name is not null
          union all
          select alliance_id::float8, name from alliances
          where alliance_id = any(${players}::bigint[]) and name is not null
          union all
          select type_id, name from types where type_id = any(${things}::integer[])
          union all
          select faction_id, name from factions where faction_id = any(${things}::integer[])
          union all
          select corporation_id, name from npc_corporations where corporation_id = any(${things}::integer[])
          union all
          select solar_system_id, name from solar_systems where solar_system_id = any(${things}::integer[])
          union all
          select region_id, name from regions where region_id = any(${things}::integer[])
          union all
          select celestial_id, name from celestials where celestial_id = any(${things}::integer[]) and name is not null`
      })

      const namesOf: Names["Service"]["namesOf"] = Effect.fnUntraced(function*(ids) {
        turn(yield* Clock.currentTimeMillis)
        const names = new Map<number, string>()
        const fresh: Array<number> = []
        for (const id of new Set(ids)) {
          const name = young.get(id) ?? old.get(id)
          if (name === undefined) fresh.push(id)
          else names.set(id, name)
        }
        if (fresh.length === 0) return names
        const into = young
        for (const { id, name } of yield* read(fresh)) {
          into.set(id, name)
          names.set(id, name)
        }
        return names
      })

      return Names.of({ namesOf })
    })
  )
}
