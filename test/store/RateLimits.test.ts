import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { RateLimits } from "../../src/store/RateLimits.ts"
import { upstreamState } from "../esi/upstreamState.ts"
import { now, setClock, virtualClock } from "../esi/virtualClock.ts"
import { TestDatabase } from "../support/TestDatabase.ts"

const services = Layer.provideMerge(RateLimits.layer, TestDatabase.layerFrom(upstreamState))

const hour = { limit: 10, windowMillis: 3_600_000 }
const stateOf = Effect.fnUntraced(function*(bucket: string) {
  const [state] = yield* (yield* RateLimits).list([bucket])
  return state!
})

layer(services, { excludeTestServices: true })("a budget", (it) => {
  it.effect("grants its limit, then says when enough comes back", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const take = limits.take({ bucket: "grants", tokens: 4, ...hour })
      assert.deepStrictEqual([yield* take, yield* take], [0, 0])
      const wait = yield* take
      assert.isAtLeast(wait, hour.windowMillis)
      assert.isAtMost(wait, hour.windowMillis * 61 / 60)
      assert.strictEqual((yield* stateOf("grants")).used, 8)
    }))

  it.effect("gives a token back one window after it was taken", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const take = limits.take({ bucket: "back", tokens: 1, limit: 1, windowMillis: 100 })
      assert.strictEqual(yield* take, 0)
      const started = performance.now()
      let wait = yield* take
      for (; wait > 0; wait = yield* take) yield* Effect.sleep(wait)
      assert.isAtLeast(performance.now() - started, 95)
    }))

  it.effect("is shared: a hundred takers at once get no more than the limit", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const take = limits.take({ bucket: "shared", tokens: 1, ...hour })
      const waits = yield* Effect.all(Array.from({ length: 100 }, () => take), { concurrency: "unbounded" })
      assert.strictEqual(waits.filter((wait) => wait === 0).length, 10)
    }))

  it.effect("never grants more tokens than the limit", () =>
    Effect.gen(function*() {
      const wait = yield* (yield* RateLimits).take({ bucket: "greedy", tokens: 11, ...hour })
      assert.strictEqual(wait, hour.windowMillis)
    }))

  it.effect("counts what an answer cost instead of what was reserved", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      yield* limits.take({ bucket: "settled", tokens: 5, ...hour })
      assert.strictEqual(yield* limits.settle({ bucket: "settled", taken: 5, spent: 2 }), 8)
      yield* limits.take({ bucket: "settled", tokens: 5, ...hour })
      assert.strictEqual(yield* limits.settle({ bucket: "settled", taken: 5, spent: 7 }), 1)
    }))

  it.effect("believes the server where that counts more, and never less", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      yield* limits.take({ bucket: "observed", tokens: 2, ...hour })
      assert.strictEqual(yield* limits.observe({ bucket: "observed", ...hour, remaining: 3 }), 3)
      assert.strictEqual(yield* limits.observe({ bucket: "observed", ...hour, remaining: 8 }), 3)
    }))

  it.effect("keeps a limit learnt from headers against what callers believe", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      yield* limits.take({ bucket: "learnt", tokens: 2, ...hour })
      yield* limits.observe({ bucket: "learnt", limit: 4, windowMillis: 60_000, remaining: 2 })
      assert.strictEqual(yield* limits.take({ bucket: "learnt", tokens: 2, ...hour }), 0)
      assert.isAtMost(yield* limits.take({ bucket: "learnt", tokens: 2, ...hour }), 61_000)
      const { limit, windowMillis, used } = yield* stateOf("learnt")
      assert.deepStrictEqual([limit, windowMillis, used], [4, 60_000, 4])
    }))

  it.effect("is taken at once, even in a transaction that is rolled back", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const sql = yield* SqlClient.SqlClient
      yield* limits.take({ bucket: "alone", tokens: 3, ...hour }).pipe(
        Effect.andThen(Effect.fail("rolled back" as const)),
        sql.withTransaction,
        Effect.ignore
      )
      assert.strictEqual((yield* stateOf("alone")).used, 3)
    }))

  it.effect("stays one row of bounded size", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const sql = yield* SqlClient.SqlClient
      const take = limits.take({ bucket: "bounded", tokens: 1, limit: 1_000_000, windowMillis: 100 })
      yield* Effect.all(Array.from({ length: 500 }, () => take), { concurrency: 8, discard: true })
      const [row] = yield* sql<{ slices: number }>`
        select cardinality(reserved) + cardinality(spent) as slices from rate_limits where bucket = 'bounded'`
      assert.strictEqual(row!.slices, 122)
    }))
})

layer(services, { excludeTestServices: true })("a pause", (it) => {
  it.effect("stops its bucket and those that name it, until it is lifted", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const take = limits.take({ bucket: "child", tokens: 1, ...hour, pausedBy: ["parent"] })
      yield* limits.pause({ bucket: "parent", millis: 60_000, reason: "because" })
      const wait = yield* take
      assert.isAbove(wait, 59_000)
      assert.isAtMost(wait, 60_000)
      assert.strictEqual((yield* stateOf("parent")).reason, "because")
      assert.strictEqual((yield* stateOf("child")).used, 0)
      yield* limits.resume("parent")
      assert.strictEqual(yield* take, 0)
    }))

  it.effect("is never shortened by another", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      yield* limits.pause({ bucket: "longer", millis: 60_000, reason: "long" })
      yield* limits.pause({ bucket: "longer", millis: 1000, reason: "short" })
      const { pauseMillis, reason } = yield* stateOf("longer")
      assert.isAbove(pauseMillis, 50_000)
      assert.strictEqual(reason, "long")
    }))

  it.effect("ends by itself", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      yield* limits.pause({ bucket: "ends", millis: 50, reason: "short" })
      const take = limits.take({ bucket: "ends", tokens: 1, ...hour })
      yield* Effect.sleep(yield* take)
      assert.strictEqual(yield* take, 0)
    }))

  it.effect("is probed by one of all callers", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const claim = limits.claimProbe({ bucket: "probed", millis: 60_000 })
      const claims = yield* Effect.all(Array.from({ length: 20 }, () => claim), { concurrency: "unbounded" })
      assert.strictEqual(claims.filter((claimed) => claimed).length, 1)
      yield* limits.scheduleProbe({ bucket: "probed", millis: 0 })
      assert.isTrue(yield* claim)
    }))
})

const requests = Schema.Array(Schema.Struct({
  gap: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60 })),
  tokens: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
  /** Milliseconds until the server counts it, and from then until its answer is here. */
  there: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 })),
  back: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 })),
  cost: Schema.Literals([0, 2, 5])
})).check(Schema.isMinLength(20), Schema.isMaxLength(60))

interface Counted {
  readonly at: number
  readonly tokens: number
}
const mostInAnyWindow = (counted: ReadonlyArray<Counted>, windowMillis: number) =>
  Math.max(
    0,
    ...counted.map(({ at: from }) =>
      counted.filter(({ at }) => at >= from && at <= from + windowMillis)
        .reduce((sum, { tokens }) => sum + tokens, 0)
    )
  )

layer(Layer.provideMerge(virtualClock, services))("the sliding window", (it) => {
  const limit = 10
  const windowMillis = 100
  let runs = 0

  it.effect.prop("never holds more tokens than the limit, and a taker that waits as told is served", {
    requests
  }, ({ requests }) =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const bucket = `taken ${runs += 1}`
      const granted: Array<Counted> = []
      let at = yield* now
      for (const { gap, tokens } of requests) {
        yield* setClock(at += gap)
        const take = limits.take({ bucket, tokens, limit, windowMillis })
        const wait = yield* take
        assert.isAtMost(wait, windowMillis * 61 / 60 + 1)
        if (wait > 0) {
          yield* setClock(at += wait)
          assert.strictEqual(yield* take, 0)
        }
        granted.push({ at, tokens })
      }
      assert.isAtMost(mostInAnyWindow(granted, windowMillis), limit)
    }), { arbitrary: { runs: 20 } })

  it.effect.prop("holds for a server that counts at any moment between request and answer", {
    requests
  }, ({ requests }) =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const bucket = `settled ${runs += 1}`
      const counted: Array<Counted> = []
      const answers: Array<{ readonly at: number; readonly cost: number }> = []
      let at = yield* now
      for (const { gap, there, back, cost } of requests) {
        const next = at + gap
        answers.sort((a, b) => a.at - b.at)
        while (answers.length > 0 && answers[0]!.at <= next) {
          const answer = answers.shift()!
          yield* setClock(answer.at)
          yield* limits.settle({ bucket, taken: 5, spent: answer.cost })
        }
        yield* setClock(at = next)
        if ((yield* limits.take({ bucket, tokens: 5, limit, windowMillis })) > 0) continue
        counted.push({ at: at + there, tokens: cost })
        answers.push({ at: at + there + back, cost })
      }
      assert.isAtMost(mostInAnyWindow(counted, windowMillis), limit)
    }), { arbitrary: { runs: 20 } })

  it.effect("lets lapse what somebody reserved and never settled, however busy the bucket is", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const take = limits.take({ bucket: "leaked", tokens: 5, limit, windowMillis })
      yield* take
      for (let passed = 0; passed < 110; passed += 10) {
        assert.strictEqual(yield* take, 0)
        yield* setClock((yield* now) + 10)
        yield* limits.settle({ bucket: "leaked", taken: 5, spent: 0 })
      }
      assert.strictEqual((yield* stateOf("leaked")).used, 0)
    }))

  it.effect("survives a clock that was set back", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const take = limits.take({ bucket: "set back", tokens: 6, limit, windowMillis })
      const at = yield* now
      assert.strictEqual(yield* take, 0)
      yield* setClock(at - 86_400_000)
      assert.isAtMost(yield* take, windowMillis * 61 / 60 + 1)
      yield* setClock(at - 86_400_000 + 110)
      assert.strictEqual(yield* take, 0)
    }))
})
