import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { RateLimits, type Reservation } from "../../src/store/RateLimits.ts"
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
      // More than the limit is granted when nothing else is taken: else a limit that shrank would stop its bucket for ever.
      const greedy = limits.take({ bucket: "greedy", tokens: 11, ...hour })
      assert.strictEqual(yield* greedy, 0)
      assert.isAbove(yield* greedy, 0)
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

  it.effect("counts what an answer cost instead of what was reserved", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const reserve = limits.reserve({ bucket: "settled", tokens: 5, ...hour })
      for (const [spent, left] of [[2, 8], [7, 1]] as const) {
        const { reservation } = yield* reserve
        assert.strictEqual(yield* limits.settle({ bucket: "settled", reservation, spent }), left)
      }
      assert.isUndefined((yield* reserve).reservation)
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
      assert.deepStrictEqual((yield* limits.list(["alone"])).map(({ used }) => used), [3])
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

const upTo = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))
const atLeast20 = [Schema.isMinLength(20), Schema.isMaxLength(120)] as const
const takes = Schema.Array(Schema.Struct({ gap: upTo(110), tokens: Schema.Literals([1, 2, 5]) })).check(...atLeast20)
/** Milliseconds until the server counts a request, and from then until its answer is here. */
const requests = Schema.Array(Schema.Struct({
  gap: upTo(4),
  there: Schema.Literals([0, 1, 30, 60]),
  back: Schema.Literals([0, 1, 5]),
  cost: Schema.Literals([0, 2, 5])
})).check(...atLeast20)

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
    takes
  }, ({ takes }) =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const bucket = `taken ${runs += 1}`
      const granted: Array<Counted> = []
      let at = yield* now
      for (const { gap, tokens } of takes) {
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
    }), { arbitrary: { runs: 60 } })

  it.effect.prop("holds for a server that counts at any moment between request and answer", {
    requests
  }, ({ requests }) =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const bucket = `settled ${runs += 1}`
      const counted: Array<Counted> = []
      const answers: Array<{ readonly at: number; readonly cost: number; readonly reservation: Reservation }> = []
      let at = yield* now
      for (const { gap, there, back, cost } of requests) {
        const next = at + gap
        answers.sort((a, b) => a.at - b.at)
        while (answers.length > 0 && answers[0]!.at <= next) {
          const answer = answers.shift()!
          yield* setClock(answer.at)
          yield* limits.settle({ bucket, reservation: answer.reservation, spent: answer.cost })
        }
        yield* setClock(at = next)
        const { reservation } = yield* limits.reserve({ bucket, tokens: 5, limit, windowMillis })
        if (reservation === undefined) continue
        counted.push({ at: at + there, tokens: cost })
        answers.push({ at: at + there + back, cost, reservation })
      }
      assert.isAtMost(mostInAnyWindow(counted, windowMillis), limit)
    }), { arbitrary: { runs: 60 } })

  it.effect("holds a request's reservation, and then its cost, for a whole window whatever goes on around it", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const reserve = limits.reserve({ bucket: "overlapping", tokens: 5, limit, windowMillis })
      const start = yield* now
      const { reservation: first } = yield* reserve
      yield* setClock(start + 10)
      const { reservation: second } = yield* reserve
      yield* setClock(start + 50)
      yield* limits.settle({ bucket: "overlapping", reservation: first, spent: 0 })
      const { reservation: third } = yield* reserve
      yield* limits.settle({ bucket: "overlapping", reservation: second, spent: 0 })
      yield* setClock(start + 120)
      assert.strictEqual((yield* stateOf("overlapping")).used, 5)
      yield* limits.settle({ bucket: "overlapping", reservation: third, spent: 2 })
      yield* setClock(start + 219.9)
      assert.strictEqual((yield* stateOf("overlapping")).used, 2)
    }))

  it.effect("lets lapse what somebody reserved and never settled, however busy the bucket is", () =>
    Effect.gen(function*() {
      const limits = yield* RateLimits
      const reserve = limits.reserve({ bucket: "leaked", tokens: 5, limit, windowMillis })
      yield* reserve
      for (let passed = 0; passed < 110; passed += 10) {
        const { reservation } = yield* reserve
        yield* setClock((yield* now) + 10)
        yield* limits.settle({ bucket: "leaked", reservation, spent: 0 })
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
