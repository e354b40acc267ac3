import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { syncMapActivity } from "../../src/map-activity/SyncMapActivity.ts"
import { mapKey, mapSlug, type MapUsers } from "../../src/sandbox/Wanderer.ts"
import { Settings } from "../../src/Settings.ts"
import * as Database from "../../src/store/Database.ts"
import { MapActivityStore } from "../../src/store/MapActivityStore.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const homeMap = { KILLMAILD_WANDERER_SLUG: mapSlug, KILLMAILD_WANDERER_KEY: mapKey }

/** A database and a Wanderer of the test's own, and the job on both. */
const makeWorld = Effect.fnUntraced(function*(overrides: Readonly<Record<string, string>> = homeMap) {
  const sandbox = yield* manualSandbox()
  const { url } = yield* migratedDatabase
  const services = yield* Layer.build(
    MapActivityStore.layer.pipe(
      Layer.provideMerge(Database.layer(Redacted.make(url))),
      Layer.provideMerge(NodeHttpClient.layerUndici),
      Layer.provideMerge(Settings.layerFrom({
        KILLMAILD_CONTACT: "tests@localhost",
        ...sandbox.environment,
        ...overrides
      }))
    )
  )
  const sql = Context.get(services, SqlClient.SqlClient)
  const { job, run } = syncMapActivity(Context.get(services, Settings))
  return {
    sandbox,
    sql,
    job,
    sync: Effect.provide(run({}, 1), services),
    /** Passages, connections and signatures of each character since the map was first looked at. */
    since: Effect.map(
      sql<{ readonly done: string }>`
        select concat_ws(' ', character_id, sum(passages), sum(connections), sum(signatures)) as done
        from map_activities where timestamp > '2003-05-06' group by character_id order by character_id`,
      (rows) => rows.map(({ done }) => done)
    )
  }
})

const user = (
  ...characters: ReadonlyArray<readonly [id: number, passages: number, connections: number]>
): MapUsers[number] =>
  characters.map(([character, passages, connections]) => ({
    character,
    corporation: 98_000_001,
    alliance: 99_000_001,
    passages,
    connections,
    signatures: 0
  }))

describe.concurrent("sync_map_activity", () => {
  it.live("keeps what was done before apart, and what is done from then on as differences", () =>
    Effect.gen(function*() {
      const { sandbox, since, sql, sync } = yield* makeWorld()
      sandbox.publishMap([user([1, 10, 2]), user([2, 5, 0])])
      assert.deepStrictEqual(yield* sync, { pilots: 2 })
      assert.deepStrictEqual(yield* since, [])
      sandbox.publishMap([user([1, 13, 2]), user([2, 5, 0]), user([3, 1, 1])])
      assert.deepStrictEqual(yield* sync, { pilots: 2 })
      assert.deepStrictEqual(yield* sync, { pilots: 0 })
      sandbox.publishMap([user([1, 14, 4]), user([2, 5, 0]), user([3, 1, 1])])
      yield* sync
      assert.deepStrictEqual(yield* since, ["1 4 2 0", "3 1 1 0"])
      const all =
        yield* sql`select sum(passages)::int as passages, sum(connections)::int as connections from map_activities`
      assert.deepStrictEqual(all, [{ passages: 20, connections: 5 }])
      const owners = yield* sql`select distinct corporation_id::int, alliance_id::int from map_activities`
      assert.deepStrictEqual(owners, [{ corporation_id: 98_000_001, alliance_id: 99_000_001 }])
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("counts nothing twice when totals fall, pilots are missing, or fly another character", () =>
    Effect.gen(function*() {
      const { sandbox, since, sync } = yield* makeWorld()
      const states: ReadonlyArray<MapUsers> = [
        [user([1, 50, 0], [2, 40, 0]), user([3, 9, 0])],
        [user([1, 50, 0], [2, 55, 0])], // The second does more now, and pilot 3 is missing.
        [user([1, 60, 0], [2, 55, 0]), user([3, 10, 0])],
        [user([1, 20, 0], [2, 15, 0]), user([3, 1, 0])], // The week before is forgotten.
        [user([1, 20, 0], [2, 18, 0]), user([3, 1, 0])]
      ]
      for (const state of states) {
        sandbox.publishMap(state)
        yield* sync
      }
      assert.deepStrictEqual(yield* since, ["1 13 0 0", "2 15 0 0", "3 1 0 0"])
    }))

  it.live("takes an empty answer, which may be an error of Wanderer, for none", () =>
    Effect.gen(function*() {
      const { sandbox, since, sync } = yield* makeWorld()
      sandbox.publishMap([user([1, 10, 2])])
      yield* sync
      sandbox.publishMap([])
      assert.deepStrictEqual(yield* sync, { pilots: 0 })
      sandbox.publishMap([user([1, 11, 2])])
      yield* sync
      assert.deepStrictEqual(yield* since, ["1 1 0 0"])
    }))

  it.live("reads ids as numbers and as texts, and leaves out rows without a character", () =>
    Effect.gen(function*() {
      const { sandbox, sql, sync } = yield* makeWorld()
      const row = { passages: 1, connections: 2, signatures: 3, timestamp: "2026-11-20T10:00:00Z" }
      sandbox.intercept(({ path }) =>
        path.endsWith("character-activity")
          ? {
            status: 200,
            body: JSON.stringify({
              data: [
                { character: { eve_id: "7", name: "A", corporation_id: "98000001", alliance_id: null }, ...row },
                { character: { eve_id: 8, name: "B", corporation_id: 98_000_002 }, ...row },
                { character: null, ...row }
              ]
            })
          }
          : undefined
      )
      yield* sync
      const kept = yield* sql`
        select character_id::int, corporation_id::int, alliance_id, signatures from map_activities order by 1`
      assert.deepStrictEqual(kept, [
        { character_id: 7, corporation_id: 98_000_001, alliance_id: null, signatures: 3 },
        { character_id: 8, corporation_id: 98_000_002, alliance_id: null, signatures: 3 }
      ])
    }))

  it.live("comes back later while Wanderer is away, and fails when it is refused", () =>
    Effect.gen(function*() {
      const { sandbox, since, sync } = yield* makeWorld()
      sandbox.publishMap([user([1, 10, 2])])
      yield* sync
      sandbox.publishMap([user([1, 11, 2])])
      const away: ReadonlyArray<readonly [path: string, reply: object, delayMillis: number]> = [
        ["character-activity", { status: 503, body: "<html>" }, 600_000],
        ["character-activity", { status: 200, body: "<html>" }, 600_000],
        ["character-activity", { reset: true }, 600_000],
        ["character-activity", { status: 429, headers: { "retry-after": "7" } }, 7000],
        ["user_characters", { status: 500 }, 600_000]
      ]
      for (const [wanted, reply, delayMillis] of away) {
        let failing = true
        sandbox.intercept(({ path }) => failing && path.endsWith(wanted) ? reply : undefined)
        assert.deepInclude(yield* Effect.flip(sync), { _tag: "JobPostponed", delayMillis })
        failing = false
      }
      assert.deepStrictEqual(yield* since, [])

      const other = yield* makeWorld({ ...homeMap, KILLMAILD_WANDERER_KEY: "other" })
      const refused = yield* Effect.flip(other.sync)
      assert.deepInclude(refused, { _tag: "JobFailed", reason: "wanderer_refused" })
      assert.notInclude(refused.message, "other")
    }))

  it.live("does without the list of users, where only that is refused", () =>
    Effect.gen(function*() {
      const { sandbox, since, sync } = yield* makeWorld()
      sandbox.intercept(({ path }) => path.endsWith("user_characters") ? { status: 404 } : undefined)
      sandbox.publishMap([user([1, 10, 2])])
      yield* sync
      sandbox.publishMap([user([1, 12, 2])])
      yield* sync
      assert.deepStrictEqual(yield* since, ["1 2 0 0"])
    }))

  it.live("is not scheduled and asks nothing where no map is set", () =>
    Effect.gen(function*() {
      const { job, sandbox, since, sync } = yield* makeWorld({})
      assert.isUndefined(job.every)
      assert.deepStrictEqual(yield* sync, { pilots: 0 })
      assert.deepStrictEqual(yield* since, [])
      assert.deepStrictEqual(sandbox.requests(), [])
      assert.strictEqual((yield* makeWorld()).job.every, 3_600_000)
    }))
})
