import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { EsiUniverse } from "../../src/esi/EsiUniverse.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { learnStaticData } from "../../src/static-data/LearnStaticData.ts"
import { StaticDataStore } from "../../src/store/StaticDataStore.ts"
import { manualSandbox } from "../support/TestDaemon.ts"
import { countOf, importFrom, inWorld, rowsOf, type World } from "./World.ts"

const learn = learnStaticData.run({}, 1).pipe(
  Effect.provide(EsiUniverse.layer)
)

const request = (typeIds: ReadonlyArray<number>, systemIds: ReadonlyArray<number> = []) =>
  Effect.flatMap(StaticDataStore, (store) => store.request({ typeIds, systemIds }))

/** Paths below /esi/universe that were asked for. */
const asked = (sandbox: Sandbox) =>
  sandbox.requests().flatMap(({ path }) =>
    path.startsWith("/esi/universe/") ? [path.slice("/esi/universe/".length)] : []
  )

const withSandbox = <A, E>(test: (sandbox: Sandbox) => Effect.Effect<A, E, World>) =>
  Effect.gen(function*() {
    const sandbox = yield* manualSandbox()
    yield* inWorld(() => test(sandbox), { ...sandbox.environment, KILLMAILD_CONTACT: "tests@example.org" })
    assert.deepStrictEqual(sandbox.violations(), [])
  })

describe("what ESI is asked of the game", () => {
  it.live("is each type and system that was wanted, with what it belongs to, and nothing twice", () =>
    withSandbox((sandbox) =>
      Effect.gen(function*() {
        yield* request([587, 597, 2048], [30_000_142, 30_000_144])
        yield* request([587])
        assert.deepStrictEqual(yield* learn, { types: 3, systems: 2 })
        assert.sameMembers([...asked(sandbox)], [
          "types/587",
          "types/597",
          "types/2048",
          "groups/25",
          "groups/60",
          "categories/6",
          "categories/7",
          "systems/30000142",
          "systems/30000144",
          "constellations/20000020",
          "regions/10000002"
        ])
        yield* request([605], [30_000_140])
        assert.deepStrictEqual(yield* learn, { types: 1, systems: 1 })
        assert.deepStrictEqual(asked(sandbox).slice(11), ["types/605", "systems/30000140"])

        const store = yield* StaticDataStore
        const [control] = yield* store.types([2048])
        assert.deepInclude(control, { name: "Damage Control II", groupId: 60, categoryId: 7, metaGroupId: 2 })
        assert.deepStrictEqual([...control!.dogma], [[422, 2], [633, 5]])
        const [jita] = yield* store.systems([30_000_142])
        assert.deepInclude(jita, { name: "Jita", constellationId: 20_000_020, regionId: 10_000_002 })
      })
    ))

  it.live("is not asked again when ESI knows none such, until a day has passed", () =>
    withSandbox((sandbox) =>
      Effect.gen(function*() {
        const store = yield* StaticDataStore
        yield* request([999_999, 587])
        assert.deepStrictEqual(yield* learn, { types: 1, systems: 0 })
        yield* request([999_999])
        assert.deepStrictEqual(yield* learn, { types: 0, systems: 0 })
        assert.strictEqual(asked(sandbox).filter((path) => path === "types/999999").length, 1)
        assert.strictEqual(yield* store.forgetRefused(24), 0)
        assert.strictEqual(yield* store.forgetRefused(0), 1)
      })
    ))

  it.live("is not what an import has brought meanwhile", () =>
    withSandbox((sandbox) =>
      Effect.gen(function*() {
        yield* request([587], [30_000_142])
        yield* importFrom({ kind: "latest" })
        assert.deepStrictEqual(yield* learn, { types: 0, systems: 0 })
        assert.deepStrictEqual(asked(sandbox), [])
        assert.strictEqual(yield* countOf("static_data_requests"), 0)
      })
    ))

  it.live("is kept where ESI answered, though it failed elsewhere, and the rest is asked for later", () =>
    withSandbox((sandbox) =>
      Effect.gen(function*() {
        let isWell = false
        sandbox.intercept(({ path }) => !isWell && path.endsWith("/605") ? { status: 500, body: "{}" } : undefined)
        yield* request([587, 605, 2048])
        const error = yield* Effect.flip(learn)
        assert.deepInclude(error, { _tag: "JobFailed", reason: "esi_unavailable" })
        assert.strictEqual((yield* rowsOf("types", "type_id")).length, 2)
        isWell = true
        assert.deepStrictEqual(yield* learn, { types: 1, systems: 0 })
        assert.strictEqual(asked(sandbox).filter((path) => path === "types/587").length, 1)
      })
    ))

  it.live("waits while ESI asks for patience", () =>
    withSandbox((sandbox) =>
      Effect.gen(function*() {
        sandbox.intercept(({ count, path }) =>
          path.endsWith("/587") && count === 1 ? { status: 429, headers: { "retry-after": "60" } } : undefined
        )
        yield* request([587])
        const error = yield* Effect.flip(learn)
        assert.strictEqual(error._tag, "JobPostponed")
        assert.strictEqual(asked(sandbox).length, 1)
      })
    ))
})
