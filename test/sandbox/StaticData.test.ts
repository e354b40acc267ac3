import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { charts } from "../../src/sandbox/Atlas.ts"
import { groups, recipes, types } from "../../src/sandbox/Catalogue.ts"
import { systems } from "../../src/sandbox/Gazetteer.ts"
import { staticData } from "../../src/sandbox/StaticData.ts"
import { members } from "../../src/static-data/Members.ts"
import * as SdeZip from "../../src/static-data/SdeZip.ts"
import { temporaryDirectory } from "../static-data/World.ts"
import { manualSandbox } from "../support/TestDaemon.ts"
import { askOf, get } from "./Visitor.ts"

const noon = Date.UTC(2026, 5, 1, 12)
const archivePath = "/tranquility/eve-online-static-data-3444265-jsonl.zip"

const archive = async () => staticData().answer(askOf(staticData(), archivePath, noon))
const materialsOf = (product: number) =>
  recipes.find((recipe) => recipe.product === product)!.materials.map(([type]) => type)

describe("the sandbox's static data", () => {
  it.live("have the newest build's number, and its archive there and behind the shorthand", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const [latest, archive, shorthand] = yield* Effect.promise(() =>
        Promise.all(
          ["/tranquility/latest.jsonl", archivePath, "/eve-online-static-data-latest-jsonl.zip"].map((path) =>
            get(sandbox, `/static-data${path}`)
          )
        )
      )
      const [line] = (yield* Effect.promise(() => latest!.text())).split("\n")
      assert.deepInclude(JSON.parse(line!), { _key: "sde", buildNumber: 3_444_265 })
      assert.strictEqual(archive!.headers.get("content-type"), "application/zip")
      assert.strictEqual(shorthand!.status, 302)
      assert.strictEqual(shorthand!.headers.get("location"), `/static-data${archivePath}`)
    }))

  it.effect("are the same bytes every time", () =>
    Effect.gen(function*() {
      const [first, second] = yield* Effect.promise(() => Promise.all([archive(), archive()]))
      assert.deepStrictEqual(first!.bytes, second!.bytes)
    }))

  it.live("hold every member that is read", () =>
    Effect.gen(function*() {
      const answer = yield* Effect.promise(archive)
      const path = join(yield* temporaryDirectory, "sde.zip")
      writeFileSync(path, answer.bytes!)
      const zip = yield* SdeZip.open(path, "sde.zip")
      assert.includeMembers([...zip.members.keys()], ["_sde.jsonl", ...members.map(({ file }) => file)])
    }))

  it("tell of every type and system that its killmails name where it belongs", () => {
    assert.isTrue([...types.values()].every(({ group }) => groups.includes(group)))
    for (const { id } of Object.values(systems).flat()) {
      const chart = charts.get(id)!
      assert.isDefined(chart.constellation, String(id))
      assert.isAbove(chart.planets.length, 0)
    }
    const ids = [...charts.values()].flatMap(({ belts, gates, moons, planets, stations, sun }) => [
      sun,
      ...[planets, moons, belts, gates, stations].flat().map(({ id }) => id)
    ])
    assert.strictEqual(new Set(ids).size, ids.length, "ids of celestials are unique")
  })

  it("build capitals of components, and those of minerals", () => {
    assert.deepStrictEqual(materialsOf(11_567), [21_009, 21_017])
    assert.include(materialsOf(21_009), 34)
  })
})
