import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { CachedData } from "../../src/store/CachedData.ts"
import { TestDatabase } from "../support/TestDatabase.ts"
import { upstreamState } from "./upstreamState.ts"

const services = Layer.provideMerge(CachedData.layer, TestDatabase.layerFrom(upstreamState))

layer(services)("cached data", (it) => {
  it.effect("comes back as it was, also with U+0000, until it expires", () =>
    Effect.gen(function*() {
      const cache = yield* CachedData
      const text = "\uFEFF{\"a\":\"\u0000 \\u0000 \\ud800 é 🚀\"}"
      yield* cache.put({ key: "a", text, millis: 60_000 })
      assert.deepStrictEqual(yield* cache.get("a"), Option.some(text))
      yield* cache.expire("a")
      assert.isTrue(Option.isNone(yield* cache.get("a")))
    }))

  it.effect("is invisible once expired", () =>
    Effect.gen(function*() {
      const cache = yield* CachedData
      yield* cache.put({ key: "old", text: "1", millis: 0 })
      yield* cache.put({ key: "new", text: "2", millis: 60_000 })
      assert.isTrue(Option.isNone(yield* cache.get("old")))
      assert.isTrue(Option.isSome(yield* cache.get("new")))
    }))
})
