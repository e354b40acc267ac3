import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { daysOf } from "../../src/prices/MarketHistory.ts"
import { makeWorld, rifter, tritanium } from "./PricesWorld.ts"

describe.concurrent("EVE Ref", () => {
  it.live("lists the days that it has, each with a mark that changes with its file", () =>
    Effect.gen(function*() {
      const { everef, sandbox } = yield* makeWorld()
      sandbox.publishPrices("2025-12-31", { [tritanium]: 5 })
      sandbox.publishPrices("2026-01-01", { [tritanium]: 5 })
      const before = yield* everef.listing(["2026"])
      assert.deepStrictEqual([...before.keys()], ["2026-01-01"])
      sandbox.publishPrices("2026-01-01", { [tritanium]: 5, [rifter]: 4 })
      assert.notDeepEqual(yield* everef.listing(["2026"]), before)
      assert.deepStrictEqual([...(yield* everef.listing(["2025", "2026"])).keys()].toSorted(), [
        "2025-12-31",
        "2026-01-01"
      ])
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("is asked for its directory of a year of which it does not count all days", () =>
    Effect.gen(function*() {
      const { everef, sandbox } = yield* makeWorld()
      sandbox.publishPrices("2019-01-02", { [tritanium]: 5 })
      const files = ["2019-01-01", "2019-01-02"].map((day, index) => ({
        name: `market-history-${day}.csv.bz2`,
        url: `https://data.everef.net/market-history/2019/market-history-${day}.csv.bz2`,
        etag: `"${index}"`,
        size: 5
      }))
      sandbox.intercept(({ path }) =>
        path === "/market-history/2019/index.json"
          ? { status: 200, body: JSON.stringify({ path: "market-history/2019", files, directories: [] }) }
          : undefined
      )
      assert.deepStrictEqual(
        [...yield* everef.listing(["2018", "2019"])],
        [["2019-01-02", "2 records"], ["2019-01-01", "etag 0"]]
      )
    }))

  it.live("gives a day's file, unless it is the one that is here", () =>
    Effect.gen(function*() {
      const { everef, sandbox } = yield* makeWorld()
      sandbox.publishPrices("2026-01-01", { [tritanium]: 5 })
      const file = yield* everef.dayFile("2026-01-01", null)
      if (typeof file === "string") return assert.fail(file)
      assert.strictEqual(file.etag, createHash("md5").update(file.bytes).digest("hex"))
      const days = yield* Effect.promise(() => Array.fromAsync(daysOf("a.csv.bz2", file.bytes)))
      assert.deepStrictEqual(days.map(({ averages }) => [...averages]), [[5]])
      assert.strictEqual(yield* everef.dayFile("2026-01-01", file.etag), "unchanged")
      assert.strictEqual(yield* everef.dayFile("2026-01-02", null), "absent")
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("is asked again after a hiccup, and given up after three", () =>
    Effect.gen(function*() {
      const { everef, sandbox } = yield* makeWorld()
      sandbox.publishPrices("2026-01-01", { [tritanium]: 5 })
      sandbox.intercept(({ count }) => count === 1 ? { status: 502, body: "<html>" } : undefined)
      assert.notStrictEqual(yield* everef.dayFile("2026-01-01", null), "absent")
      sandbox.intercept(() => ({ reset: true }))
      const error = yield* Effect.flip(everef.dayFile("2026-01-02", null))
      assert.match(String(error), /EVE Ref did not serve \S*2026\/market-history-2026-01-02\.csv\.bz2: /)
    }))

  it.live("is left alone by everybody for as long as it says", () =>
    Effect.gen(function*() {
      const { everef, sandbox } = yield* makeWorld()
      sandbox.intercept(({ count }) => count === 1 ? { status: 429, headers: { "retry-after": "20" } } : undefined)
      const first = yield* Effect.flip(everef.dayFile("2026-01-01", null))
      assert.deepInclude(first, { _tag: "UpstreamPaused", waitMillis: 20_000 })
      const second = yield* Effect.flip(everef.dayFile("2026-01-02", null))
      assert.strictEqual(second._tag, "UpstreamPaused")
      assert.strictEqual(sandbox.requests().length, 1)
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("is told who asks, and not asked where nobody is to be told", () =>
    Effect.gen(function*() {
      const { everef } = yield* makeWorld({
        KILLMAILD_EVEREF_URL: "https://data.everef.net",
        KILLMAILD_CONTACT: "",
        KILLMAILD_SCHEDULE_SPEED: "1"
      })
      const error = yield* Effect.flip(everef.listing(["2026"]))
      assert.match(String(error), /KILLMAILD_CONTACT: is unset, wants .* before data\.everef\.net is called/)
    }))
})
