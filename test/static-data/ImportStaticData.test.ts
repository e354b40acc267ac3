import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { importStaticData } from "../../src/static-data/ImportStaticData.ts"
import { Leases } from "../../src/store/Leases.ts"
import { StaticDataImports } from "../../src/store/StaticDataImports.ts"
import { start } from "../commands/CommandLine.ts"
import { manualSandbox } from "../support/TestDaemon.ts"
import { archiveOf, countOf, importFrom, inWorld, type Lines, rowsOf, small, temporaryDirectory } from "./World.ts"

const corpus = join(import.meta.dirname, "../../../shared/corpus/sde/static-data-corpus-jsonl.zip")

/** The sentence that an import of this archive is refused with; nothing may be there afterwards. */
const refusalOf = Effect.fnUntraced(function*(path: string) {
  const error = yield* Effect.flip(importFrom(path))
  assert.strictEqual(yield* countOf("static_data_imports"), 0)
  assert.strictEqual(yield* countOf("types"), 0)
  assert.strictEqual(error._tag, "SdeUnusable")
  return error.message.replaceAll(path, "sde.zip")
})

const without = (member: string): Lines => Object.fromEntries(Object.entries(small).filter(([name]) => name !== member))

describe("the import of static data", () => {
  it.live("fills every table with what the archive tells, in English", () =>
    inWorld(() =>
      Effect.gen(function*() {
        const { build, missing, rows, status } = yield* importFrom(yield* archiveOf(small))
        assert.deepStrictEqual({ build, missing, status }, { build: 1000, missing: [], status: "imported" })
        assert.deepInclude(rows, { types: 3, type_dogma: 1, blueprints: 1, celestials: 7 })
        assert.sameDeepMembers([...yield* rowsOf("types", "name, market_group_id, meta_group_id")], [
          { name: "Rifter", market_group_id: 61, meta_group_id: 1 },
          { name: "Rifter Blueprint", market_group_id: null, meta_group_id: null },
          { name: "Tritanium", market_group_id: null, meta_group_id: null }
        ])
        assert.deepStrictEqual(yield* rowsOf("type_dogma"), [{ type_id: 587, attribute_id: 1547, value: 1 }])
        assert.deepStrictEqual(yield* rowsOf("blueprint_materials"), [
          { blueprint_type_id: 691, material_type_id: 34, quantity: 24_000n }
        ])
        assert.deepStrictEqual(yield* rowsOf("type_materials"), [
          { type_id: 587, material_type_id: 34, quantity: 22_222n }
        ])
        assert.deepStrictEqual(yield* rowsOf("npc_corporations", "name, ticker"), [
          { name: "Brutor Tribe", ticker: "BTRB" }
        ])
        assert.deepInclude(yield* rowsOf("solar_systems"), {
          solar_system_id: 30_002_510,
          name: "Rens",
          constellation_id: 20_000_448,
          region_id: 10_000_030,
          security: 0.891_23
        })
      })
    ))

  it.live("names celestials by CCP's rule, and those with a name of their own by that", () =>
    inWorld(() =>
      Effect.gen(function*() {
        yield* importFrom(yield* archiveOf(small))
        const names = (yield* rowsOf("celestials", "celestial_id, name")).map(({ name }) => name)
        assert.sameMembers(names, [
          "Rens",
          "Rens IV",
          "Named Planet",
          "Rens IV - Moon 8",
          "Rens IV - Asteroid Belt 1",
          "Stargate (Frarn)",
          "Rens IV - Moon 8 - Brutor Tribe Treasury"
        ])
      })
    ))

  it.live("does nothing for the build that is here, unless it is forced to", () =>
    inWorld(() =>
      Effect.gen(function*() {
        const path = yield* archiveOf(small)
        yield* importFrom(path)
        assert.strictEqual((yield* importFrom(path)).status, "known")
        const before = yield* rowsOf("types", "xmin::text, type_id")
        assert.strictEqual((yield* importFrom(path, true)).status, "imported")
        assert.strictEqual(yield* countOf("static_data_imports"), 2)
        assert.deepStrictEqual(yield* rowsOf("types", "xmin::text, type_id"), before, "rows that did not change")
      })
    ))

  it.live("tells what the archive lacks, leaves that as it is, and takes it from a fuller one of the same build", () =>
    inWorld(() =>
      Effect.gen(function*() {
        const partial = yield* archiveOf({
          _sde: small["_sde"]!,
          categories: small["categories"]!,
          types: small["types"]!
        })
        const first = yield* importFrom(partial)
        assert.includeMembers(first.missing as Array<string>, ["groups.jsonl", "mapMoons.jsonl", "blueprints.jsonl"])
        assert.notInclude(first.missing, "types.jsonl")
        const last = yield* (yield* StaticDataImports).last
        assert.deepStrictEqual(last.valueOrUndefined?.missing, first.missing)
        const whole = yield* importFrom(yield* archiveOf(small))
        assert.deepInclude(whole, { status: "imported", missing: [] })
        yield* importFrom(yield* archiveOf({ ...without("mapMoons"), _sde: [{ _key: "sde", buildNumber: 1001 }] }))
        assert.strictEqual(yield* countOf("celestials where group_id = 8"), 1)
      })
    ))

  it.live("replaces what a newer build tells otherwise, forgets what has no place any more, and keeps what killmails may name", () =>
    inWorld(() =>
      Effect.gen(function*() {
        yield* importFrom(yield* archiveOf(small))
        const newer: Lines = {
          ...small,
          _sde: [{ _key: "sde", buildNumber: 1001 }],
          types: [{ ...small["types"]![0], name: { en: "Rifter Mk II" } }],
          typeDogma: [{ _key: 587, dogmaAttributes: [{ attributeID: 633, value: 0 }] }],
          mapPlanets: [small["mapPlanets"]![0]!]
        }
        yield* importFrom(yield* archiveOf(newer))
        assert.sameMembers(
          (yield* rowsOf("types", "name")).map(({ name }) => name),
          ["Rifter Mk II", "Rifter Blueprint", "Tritanium"]
        )
        assert.deepStrictEqual(yield* rowsOf("type_dogma", "attribute_id"), [{ attribute_id: 633 }])
        assert.strictEqual(yield* countOf("celestials where group_id = 7"), 1)
        assert.strictEqual(yield* countOf("celestials"), 6)
      })
    ))

  it.live("refuses in one sentence what is no archive, is cut off, damaged, or holds a line that cannot be used", () =>
    inWorld(() =>
      Effect.gen(function*() {
        const path = yield* archiveOf(small)
        const whole = readFileSync(path)
        assert.strictEqual(yield* refusalOf("/nowhere/sde.zip"), "sde.zip does not exist.")
        writeFileSync(path, whole.subarray(0, whole.length / 2))
        assert.match(yield* refusalOf(path), /^sde\.zip cannot be read as a zip archive: .*truncated\.$/)
        const damaged = Buffer.from(whole)
        const at = damaged.indexOf("types.jsonl") + 40
        damaged[at] = damaged[at]! ^ 0xff
        writeFileSync(path, damaged)
        assert.match(yield* refusalOf(path), /^types\.jsonl of sde\.zip cannot be (read|used): .*\.$/)
        assert.strictEqual(
          yield* refusalOf(yield* archiveOf({ readme: [{ hello: "world" }] })),
          "sde.zip has no member of CCP's static data such as categories.jsonl, wants " +
            "eve-online-static-data-<build>-jsonl.zip."
        )
        const wrong = { ...small, npcStations: [...small["npcStations"]!, { _key: 60_000_001, ownerID: "CCP" }] }
        assert.match(
          yield* refusalOf(yield* archiveOf(wrong)),
          /^npcStations\.jsonl of sde\.zip cannot be used: line 2: .*solarSystemID.*\.$/
        )
      })
    ))

  it.live("changes nothing when it is stopped in the middle", () =>
    inWorld(() =>
      Effect.gen(function*() {
        const path = yield* archiveOf(small)
        const reached = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          importStaticData({ kind: "file", path }, {
            force: false,
            onProgress: ({ done, total }) =>
              done === total ? Effect.andThen(Deferred.succeed(reached, undefined), Effect.never) : Effect.void
          })
        )
        yield* Deferred.await(reached)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* countOf("types"), 0)
        assert.strictEqual((yield* importFrom(path)).status, "imported")
      })
    ))

  it.live("changes nothing when its process is killed in the middle, and the next one can begin at once", () =>
    inWorld((url) =>
      Effect.gen(function*() {
        const moons = Array.from({ length: 150_000 }, (_, n) => ({ ...small["mapMoons"]![0], _key: 41_000_000 + n }))
        const path = yield* archiveOf({ ...small, mapMoons: moons })
        const child = yield* start(["static-data", "import", path], { DATABASE_URL: url })
        yield* child.says(/^import: /m)
        child.signal("SIGKILL")
        yield* child.ended
        assert.strictEqual(yield* countOf("types"), 0)
        const next = yield* Effect.retry(importFrom(yield* archiveOf(small)), {
          while: (error) => error._tag === "LeaseHeld"
        })
        assert.strictEqual(next.status, "imported")
      })
    ))

  it.live("is one at a time", () =>
    inWorld(() =>
      Effect.gen(function*() {
        yield* (yield* Leases).acquire("static_data")
        const error = yield* Effect.flip(importFrom(yield* archiveOf(small)))
        assert.strictEqual(error._tag, "LeaseHeld")
      })
    ))

  it.live("comes from CCP's server, the archive of the newest build by its number", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      yield* inWorld(() =>
        Effect.gen(function*() {
          const first = yield* importFrom({ kind: "latest" })
          assert.deepInclude(first, { status: "imported", build: 3_444_265, missing: [] })
          assert.strictEqual((yield* importFrom({ kind: "latest" })).status, "known")
          const asked = sandbox.requests().map(({ path }) => path)
          assert.deepStrictEqual(asked, [
            "/static-data/tranquility/latest.jsonl",
            "/static-data/tranquility/eve-online-static-data-3444265-jsonl.zip",
            "/static-data/tranquility/latest.jsonl"
          ])
          const shorthand = new URL(`${sandbox.url}/static-data/eve-online-static-data-latest-jsonl.zip`)
          assert.strictEqual((yield* importFrom({ kind: "url", url: shorthand })).status, "known")
        }), { ...sandbox.environment, KILLMAILD_CONTACT: "tests@example.org" })
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("is done anew when CCP's archive may have what another of the same build lacked, and not for an older one", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      yield* inWorld(() =>
        Effect.gen(function*() {
          const partial = { _sde: [{ _key: "sde", buildNumber: 3_444_265 }], types: small["types"]! }
          yield* importFrom(yield* archiveOf(partial))
          assert.strictEqual((yield* importFrom({ kind: "latest" })).status, "imported")
          yield* importFrom(yield* archiveOf({ ...small, _sde: [{ _key: "sde", buildNumber: 4_000_000 }] }))
          assert.strictEqual((yield* importFrom({ kind: "latest" })).status, "known")
        }), { ...sandbox.environment, KILLMAILD_CONTACT: "tests@example.org" })
    }))

  it.live("leaves no archive behind in the data directory, and says why there was none to be had", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const dataDir = yield* temporaryDirectory
      sandbox.intercept(({ path }) =>
        path.endsWith(".zip") ? { status: 503, headers: { "retry-after": "30" } } : undefined
      )
      yield* inWorld(() =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(importFrom({ kind: "latest" }))
          assert.deepInclude(error, { _tag: "SdeUnavailable", retryAfter: 30_000 })
          assert.match((error as Error).message, /jsonl\.zip cannot be had: the server answered 503\.$/)
        }), { ...sandbox.environment, KILLMAILD_DATA_DIR: dataDir })
      assert.deepStrictEqual(readdirSync(dataDir), [])
    }))

  it.live.skipIf(!existsSync(corpus))(
    "reads the corpus (skipped where ../shared/corpus is absent)",
    () =>
      inWorld(() =>
        Effect.gen(function*() {
          const { build, rows } = yield* importFrom(corpus)
          assert.strictEqual(build, 3_300_000)
          assert.deepInclude(rows, { types: 51_602, groups: 1_590, solar_systems: 8_490, npc_corporations: 283 })
          assert.strictEqual(yield* countOf("types"), 51_602)
        })
      )
  )
})
