import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { Prices } from "../../src/prices/Prices.ts"
import * as Database from "../../src/store/Database.ts"
import { PriceImports } from "../../src/store/PriceImports.ts"
import { type PriceNeed, PriceStore } from "../../src/store/PriceStore.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"

const tritanium = 34
const rifter = 587
const day = "2026-01-02"
const need = (typeId: number, on = day): PriceNeed => ({ typeId, day: on })

/** A store that counts what it is asked, and prices at which everything costs the version. */
const makeWorld = Effect.gen(function*() {
  const state = {
    version: 1,
    looks: 0,
    asked: [] as Array<ReadonlyArray<PriceNeed>>,
    beforeAnswer: Effect.void as Effect.Effect<void>
  }
  const store = Layer.mock(PriceStore, {
    version: Effect.sync(() => {
      state.looks++
      return state.version
    }),
    factsFor: (needs) =>
      Effect.gen(function*() {
        const { version } = state
        state.asked.push(needs)
        yield* state.beforeAnswer
        return needs.map(({ day, typeId }) => ({
          typeId,
          day,
          averages: [{ day, average: version, source: "everef" as const }],
          custom: typeId === rifter ? { price: version, reason: "mine" } : undefined
        }))
      })
  })
  const prices = Context.get(yield* Layer.build(Layer.provide(Prices.layer, store)), Prices)
  return { state, prices }
})

describe("facts about prices", () => {
  it.effect("are those of the store, and nothing for what was not asked for", () =>
    Effect.gen(function*() {
      const { prices } = yield* makeWorld
      const facts = yield* prices.factsFor([need(tritanium), need(rifter)])
      assert.deepStrictEqual(facts.averages(tritanium, day), [{ day, average: 1, source: "everef" }])
      assert.deepStrictEqual(facts.custom(rifter, day), { price: 1, reason: "mine" })
      assert.isUndefined(facts.custom(tritanium, day))
      assert.deepStrictEqual(facts.averages(tritanium, "2026-01-03"), [])
      assert.deepStrictEqual(facts.averages(35, day), [])
    }))

  it.effect("are asked of the store once, only what is not known, all at a time", () =>
    Effect.gen(function*() {
      const { prices, state } = yield* makeWorld
      yield* prices.factsFor([need(tritanium), need(rifter)])
      yield* prices.factsFor([need(tritanium), need(rifter)])
      yield* prices.factsFor([need(tritanium), need(35), need(tritanium, "2026-01-03")])
      assert.deepStrictEqual(state.asked, [
        [need(tritanium), need(rifter)],
        [need(35), need(tritanium, "2026-01-03")]
      ])
    }))

  it.effect("are one object that learns, until prices arrive", () =>
    Effect.gen(function*() {
      const { prices, state } = yield* makeWorld
      const facts = yield* prices.factsFor([need(tritanium)])
      assert.strictEqual(yield* prices.factsFor([need(rifter)]), facts)
      assert.strictEqual(facts.averages(rifter, day)[0]!.average, 1)
      state.version = 2
      yield* TestClock.adjust("1 second")
      const after = yield* prices.factsFor([need(tritanium)])
      assert.notStrictEqual(after, facts)
      assert.strictEqual(after.averages(tritanium, day)[0]!.average, 2)
      assert.strictEqual(facts.averages(tritanium, day)[0]!.average, 1)
    }))

  it.effect("are looked after at most once a second, by one of all that ask", () =>
    Effect.gen(function*() {
      const { prices, state } = yield* makeWorld
      yield* Effect.forEach(Array.from({ length: 50 }), () => prices.factsFor([need(tritanium)]), {
        concurrency: "unbounded"
      })
      yield* TestClock.adjust("999 millis")
      yield* prices.factsFor([need(tritanium)])
      assert.strictEqual(state.looks, 1)
      yield* TestClock.adjust("1 milli")
      yield* Effect.forEach(Array.from({ length: 50 }), () => prices.factsFor([need(tritanium)]), {
        concurrency: "unbounded"
      })
      assert.strictEqual(state.looks, 2)
    }))

  it.effect("can be brought up to date at once", () =>
    Effect.gen(function*() {
      const { prices, state } = yield* makeWorld
      yield* prices.factsFor([need(tritanium)])
      state.version = 2
      yield* prices.refresh
      assert.strictEqual((yield* prices.factsFor([need(tritanium)])).averages(tritanium, day)[0]!.average, 2)
    }))

  it.effect("that were read before prices arrived are not kept beyond it", () =>
    Effect.gen(function*() {
      const { prices, state } = yield* makeWorld
      yield* prices.factsFor([])
      state.beforeAnswer = Effect.gen(function*() {
        state.version = 2
        state.beforeAnswer = Effect.void
        yield* Effect.orDie(prices.refresh)
      })
      const late = yield* prices.factsFor([need(tritanium)])
      assert.strictEqual(late.averages(tritanium, day)[0]!.average, 1)
      assert.strictEqual((yield* prices.factsFor([need(tritanium)])).averages(tritanium, day)[0]!.average, 2)
    }))

  it.effect("do not fill the memory", () =>
    Effect.gen(function*() {
      const { prices, state } = yield* makeWorld
      const many = Array.from({ length: 20_001 }, (_, typeId) => need(typeId + 1))
      const full = yield* prices.factsFor(many)
      const next = yield* prices.factsFor([need(1), need(99_999)])
      assert.notStrictEqual(next, full)
      assert.deepStrictEqual(state.asked.at(-1), [need(1), need(99_999)])
      assert.strictEqual(full.averages(2, day).length, 1)
      assert.strictEqual(next.averages(2, day).length, 0)
    }))

  it.live("are new in every process a second after they have arrived in one", () =>
    Effect.gen(function*() {
      const { url } = yield* migratedDatabase
      const process = Layer.build(Layer.fresh(
        Layer.provideMerge(Prices.layer, Layer.merge(PriceStore.layer, PriceImports.layer)).pipe(
          Layer.provide(Database.layer(Redacted.make(url)))
        )
      ))
      const here = yield* process
      const there = yield* process
      const averagesThere = Effect.map(
        Context.get(there, Prices).factsFor([need(tritanium)]),
        (facts) => facts.averages(tritanium, day).length
      )
      assert.strictEqual(yield* averagesThere, 0)
      yield* Context.get(here, PriceImports).importDay(
        { day, typeIds: Int32Array.of(tritanium), averages: Float64Array.of(5) },
        { etag: "a", listed: null }
      )
      yield* Effect.sleep("1 second")
      assert.strictEqual(yield* averagesThere, 1)
    }))
})
