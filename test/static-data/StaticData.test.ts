import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import { StaticData } from "../../src/static-data/StaticData.ts"
import { StaticDataStore } from "../../src/store/StaticDataStore.ts"
import { eventually } from "../support/TestDaemon.ts"
import { archiveOf, countOf, importFrom, inWorld, small, type World } from "./World.ts"

const none = { typeIds: [], systemIds: [] }

/** The service over a store that counts what it is asked. */
const counted = Effect.gen(function*() {
  const store = yield* StaticDataStore
  const questions: Array<string> = []
  const counting = StaticDataStore.of({
    ...store,
    types: (ids) => Effect.tap(store.types(ids), () => Effect.sync(() => questions.push(`types ${ids.join()}`))),
    systems: (ids) => Effect.tap(store.systems(ids), () => Effect.sync(() => questions.push(`systems ${ids.join()}`))),
    celestials: (id) => Effect.tap(store.celestials(id), () => Effect.sync(() => questions.push(`celestials ${id}`))),
    names: (ids) => Effect.tap(store.names(ids), () => Effect.sync(() => questions.push(`names ${ids.join()}`)))
  })
  const context = yield* Layer.build(
    Layer.fresh(StaticData.layer).pipe(Layer.provide(Layer.succeed(StaticDataStore, counting)))
  )
  return { data: Context.get(context, StaticData), questions }
})

const imported = <A, E>(test: Effect.Effect<A, E, World | Scope.Scope>) =>
  inWorld(() =>
    Effect.gen(function*() {
      yield* importFrom(yield* archiveOf(small))
      return yield* test
    })
  )

describe("the facts for the walk", () => {
  it.live("are read with one query for all types and one for all systems, and never again", () =>
    imported(Effect.gen(function*() {
      const { data, questions } = yield* counted
      const ids = { typeIds: [587, 691, 587], systemIds: [30_002_510] }
      const { facts, missing } = yield* data.factsFor(ids)
      assert.deepStrictEqual(missing, none)
      assert.deepInclude(facts.type(587), {
        typeId: 587,
        name: "Rifter",
        groupId: 25,
        categoryId: 6,
        marketGroupIds: [61, 4],
        metaGroupId: 1,
        manufacturing: { outputQuantity: 1, materials: [{ typeId: 34, quantity: 24_000 }] }
      })
      assert.deepStrictEqual(facts.type(587)!.dogma, new Map([[1547, 1]]))
      assert.deepStrictEqual(facts.system(30_002_510), {
        systemId: 30_002_510,
        name: "Rens",
        security: 0.891_23,
        constellationId: 20_000_448,
        regionId: 10_000_030
      })
      assert.strictEqual((yield* data.factsFor(ids)).facts, facts)
      assert.deepStrictEqual(questions, ["types 587,691", "systems 30002510"])
    })))

  it.live("are given in the same turn when they are at hand", () =>
    imported(Effect.gen(function*() {
      const { data } = yield* counted
      yield* data.factsFor({ typeIds: [587], systemIds: [] })
      const { facts } = Effect.runSync(data.factsFor({ typeIds: [587, 34], systemIds: [] }))
      assert.strictEqual(facts.type(34)!.name, "Tritanium", "as the Rifter is built of it")
    })))

  it.live("tell what is missing, also of ids that no table could hold", () =>
    imported(Effect.gen(function*() {
      const { data, questions } = yield* counted
      const { facts, missing } = yield* data.factsFor({ typeIds: [587, 999, 999], systemIds: [31_000_001] })
      assert.deepStrictEqual(missing, { typeIds: [999], systemIds: [31_000_001] })
      assert.isUndefined(facts.type(999))
      assert.deepStrictEqual((yield* data.factsFor({ typeIds: [999], systemIds: [] })).missing.typeIds, [999])
      assert.deepStrictEqual((yield* data.factsFor({ typeIds: [2 ** 31, -1, 2 ** 53], systemIds: [] })).missing, none)
      assert.strictEqual(questions.length, 2)
    })))

  it.live("are read anew when something was imported or learnt, and those in use stay as they are", () =>
    imported(Effect.gen(function*() {
      const { data } = yield* counted
      const before = (yield* data.factsFor({ typeIds: [587, 588], systemIds: [] })).facts
      const lines = { ...small, _sde: [{ _key: "sde", buildNumber: 1001 }] }
      yield* importFrom(yield* archiveOf({ ...lines, types: [{ ...small["types"]![0], _key: 588 }] }))
      yield* eventually(
        () => data.factsFor({ typeIds: [588], systemIds: [] }),
        ({ missing }) => missing.typeIds.length === 0
      )
      assert.isUndefined(before.type(588))
    })))

  it.live("are asked of ESI by one job when they are missing, and each once", () =>
    imported(Effect.gen(function*() {
      const { data } = yield* counted
      yield* data.learn({ typeIds: [999], systemIds: [31_000_001] })
      yield* data.learn({ typeIds: [999, 998], systemIds: [] })
      yield* data.learn(none)
      assert.strictEqual(yield* countOf("static_data_requests"), 3)
      yield* eventually(
        (sql) => sql<{ task: string }>`select task_identifier as task from graphile_worker.jobs`,
        (jobs) => jobs.length === 1 && jobs[0]!.task === "learn_static_data"
      )
    })))
})

describe("the place of a kill", () => {
  it.live("is the celestial, gate or station next to it, read once a system", () =>
    imported(Effect.gen(function*() {
      const { data, questions } = yield* counted
      const near = (x: number) => data.nearest(30_002_510, { x, y: 0, z: 0 })
      assert.strictEqual(yield* near(2.000_1e9), 40_161_466, "the moon")
      assert.strictEqual(yield* near(2.009e9), 60_004_588, "the station beside it")
      assert.strictEqual(yield* near(-9e11), 50_000_001, "a gate")
      assert.strictEqual(yield* near(1), 40_161_463, "the sun")
      assert.isNull(yield* data.nearest(30_000_142, { x: 0, y: 0, z: 0 }))
      assert.deepStrictEqual(questions, ["celestials 30002510", "celestials 30000142"])
    })))
})

describe("names", () => {
  it.live("are given for whatever the game itself has, and for nothing else", () =>
    imported(Effect.gen(function*() {
      const { data, questions } = yield* counted
      const ids = [
        587,
        500_002,
        1_000_049,
        10_000_030,
        20_000_448,
        30_002_510,
        40_161_466,
        60_004_588,
        5,
        2_112_000_001
      ]
      const names = yield* data.names(ids)
      assert.deepStrictEqual([...names.values()], [
        "Rifter",
        "Minmatar Republic",
        "Brutor Tribe",
        "Heimatar",
        "Joas",
        "Rens",
        "Rens IV - Moon 8",
        "Rens IV - Moon 8 - Brutor Tribe Treasury"
      ])
      assert.deepStrictEqual(yield* data.names(ids), names)
      assert.strictEqual(questions.length, 1)
    })))
})
