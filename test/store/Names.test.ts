import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { Names } from "../../src/store/Names.ts"
import { withStores } from "../support/Stores.ts"

const call = (id: number, name: string | null) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    sql`
    insert into characters (character_id, name, seen_at) values (${BigInt(id)}, ${name}, now())
    on conflict (character_id) do update set name = excluded.name`)

const namesOf = (...ids: ReadonlyArray<number>) =>
  Effect.flatMap(Names, (names) => Effect.map(names.namesOf(ids), Object.fromEntries))

/** So many milliseconds from now. */
const later = (millis: number) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Clock.Clock, (clock) =>
    Effect.provideService(
      effect,
      Clock.Clock,
      Object.assign(Object.create(clock), {
        currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + millis)
      })
    ))

describe("names", () => {
  it.live("are of players, of NPCs and of the game itself, as far as they are known", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* call(2_122_585_718, "Some Pilot")
        yield* call(90_000_001, null)
        yield* sql`insert into corporations (corporation_id, name, seen_at) values (98000001, 'Corp', now())`
        yield* sql`insert into alliances (alliance_id, name, seen_at) values (99000001, 'Alliance', now())`
        yield* sql`insert into types values (670, 'Capsule', 29, null, null, false)`
        yield* sql`insert into factions values (500003, 'Amarr Empire')`
        yield* sql`insert into npc_corporations values (1000125, 'CONCORD')`
        yield* sql`insert into solar_systems values (30000142, 'Jita', 20000020, 10000002, 0.9)`
        yield* sql`insert into celestials values (40009077, 30000142, 14, 8, 0, 0, 0, 'Jita IV - Moon 4')`
        const names = {
          670: "Capsule",
          500003: "Amarr Empire",
          1000125: "CONCORD",
          30000142: "Jita",
          40009077: "Jita IV - Moon 4",
          98000001: "Corp",
          99000001: "Alliance",
          2122585718: "Some Pilot"
        }
        assert.deepStrictEqual(yield* namesOf(...Object.keys(names).map(Number), 90_000_001, 671, 5), names)
        assert.deepStrictEqual(yield* namesOf(), {})
      })
    ))

  it.live("that are learnt are there at once", () =>
    withStores(() =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* namesOf(90_000_001), {})
        yield* call(90_000_001, "Some Pilot")
        assert.deepStrictEqual(yield* namesOf(90_000_001), { 90000001: "Some Pilot" })
      })
    ))

  it.live("that change are seen within a minute, and until then nobody is asked", () =>
    withStores(() =>
      Effect.gen(function*() {
        yield* call(90_000_001, "Some Pilot")
        yield* namesOf(90_000_001)
        yield* call(90_000_001, "Another Name")
        assert.deepStrictEqual(yield* namesOf(90_000_001), { 90000001: "Some Pilot" })
        assert.deepStrictEqual(yield* later(39_000)(namesOf(90_000_001)), { 90000001: "Some Pilot" })
        assert.deepStrictEqual(yield* later(60_000)(namesOf(90_000_001)), { 90000001: "Another Name" })
      })
    ))
})
