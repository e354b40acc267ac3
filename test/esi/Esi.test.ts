import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Metric, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { Esi } from "../../src/esi/Esi.ts"
import { bodyOf, error, good, html, makeWorld, otherRef, path, reasonOf, ref, refusal, usedOf } from "./EsiWorld.ts"
import type { Reply } from "./ScriptedEsi.ts"

describe("a killmail", () => {
  it.live("is asked for with contact and compatibility date, without a trace of ours", () =>
    Effect.gen(function*() {
      const { server, esi } = yield* makeWorld
      server.script(path, good)
      const { killmail, fromCache } = yield* esi.killmail(ref)
      assert.strictEqual(killmail.killmail_id, ref.killmail_id)
      assert.isFalse(fromCache)
      const { headers } = server.requests[0]!
      assert.match(headers["user-agent"]!, /^killmaild\/\S+ \(tests@example\.org\)$/)
      assert.strictEqual(headers["x-compatibility-date"], "2026-08-18")
      assert.strictEqual(headers["accept"], "application/json")
      assert.isUndefined(headers["traceparent"])
      assert.isUndefined(headers["b3"])
    }).pipe(Effect.withSpan("outside")))

  it.live("is never asked twice, by whichever replica", () =>
    Effect.gen(function*() {
      const { server, esi, replica } = yield* makeWorld
      server.script(path, good)
      const first = yield* esi.killmail(ref)
      const second = yield* Context.get(yield* replica, Esi).killmail(ref)
      assert.isTrue(second.fromCache)
      assert.deepStrictEqual(second.killmail, first.killmail)
      assert.strictEqual(server.requests.length, 1)
    }))

  it.live("may have fields that nobody knows yet", () =>
    Effect.gen(function*() {
      const { server, esi } = yield* makeWorld
      server.script(path, { body: bodyOf(ref.killmail_id, { weather: "solar storm" }) })
      assert.strictEqual((yield* esi.killmail(ref)).killmail.solar_system_id, 30003586)
    }))

  it.live("comes after a 503, a page of HTML or a cut body", () =>
    Effect.gen(function*() {
      for (const stumble of [error(503), html, { ...good, cut: true }, { body: "{\"killmail_id\":13476" }]) {
        const { server, esi } = yield* makeWorld
        server.script(path, stumble, good)
        assert.isFalse((yield* esi.killmail(ref)).fromCache)
        assert.strictEqual(server.requestsOf(path), 2)
      }
    }))

  it.live("that ESI does not know, or not by this hash, is final at once", () =>
    Effect.gen(function*() {
      const unknown = yield* refusal(error(404))
      assert.deepStrictEqual([unknown.reason._tag, unknown.asked], ["EsiNotFound", 1])
      const mismatch = yield* refusal(error(422))
      assert.deepStrictEqual([mismatch.reason._tag, mismatch.asked], ["EsiHashMismatch", 1])
      assert.include(mismatch.reason.message, path)
      assert.strictEqual(yield* usedOf(mismatch.limits, "esi:killmail"), 5)
    }))

  it.live("is refused at once where the request is wrong", () =>
    Effect.gen(function*() {
      for (const status of [400, 401, 403]) {
        const { reason, asked } = yield* refusal(error(status))
        assert.deepStrictEqual([reason._tag, asked], ["EsiRefused", 1])
      }
    }))

  it.live("is undecodable after three bodies that cannot be used", () =>
    Effect.gen(function*() {
      const bodies: ReadonlyArray<Reply> = [
        html,
        { body: "" },
        { body: "{\"killmail_id\":1" },
        { body: "{\"killmail_id\":134762446}" },
        { body: bodyOf(otherRef.killmail_id) }
      ]
      const reasons = yield* Effect.forEach(bodies, (body) => refusal(body), { concurrency: 5 })
      for (const { reason, asked } of reasons) assert.deepStrictEqual([reason._tag, asked], ["EsiUndecodable", 3])
    }))

  it.live("is not final by a 404 or 403 that is not ESI's own", () =>
    Effect.gen(function*() {
      for (const status of [404, 403]) {
        const { reason, asked } = yield* refusal({ ...html, status })
        assert.deepStrictEqual([reason._tag, asked], ["EsiUnavailable", 3])
      }
    }))

  it.live("is unavailable after three errors of ESI's own", () =>
    Effect.gen(function*() {
      const { reason, asked, limits } = yield* refusal(error(500))
      assert.deepStrictEqual([reason._tag, asked], ["EsiUnavailable", 3])
      assert.strictEqual(yield* usedOf(limits, "esi:killmail"), 0)
    }))

  it.effect("is waited for no longer than 15 seconds", () =>
    Effect.gen(function*() {
      const { server, client, limits } = yield* makeWorld
      server.script("/slow", { silent: true })
      const group = { name: "slow", limit: 10, windowMillis: 900_000 }
      const asking = yield* Effect.forkChild(reasonOf(client.send({ route: "/slow", path: "/slow", group })))
      yield* server.arrival
      yield* TestClock.adjust("15 seconds")
      const reason = yield* Fiber.join(asking)
      assert.strictEqual(reason._tag, "EsiUnavailable")
      assert.strictEqual(yield* usedOf(limits, "esi:slow"), 5)
    }))
})

describe("what is told about it", () => {
  it.live("are counts by route and status, and a span with id and status", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const { server, esi } = yield* makeWorld
      server.script(path, error(503), good)
      yield* esi.killmail(ref).pipe(Effect.withTracer(tracer))
      const span = spans.find(({ name }) => name === "Esi.killmail")!
      assert.strictEqual(span.attributes.get("killmail.id"), ref.killmail_id)
      assert.strictEqual(span.attributes.get("http.response.status_code"), 200)
      const metrics = yield* Metric.snapshot
      const counted = metrics.flatMap((metric) =>
        metric.id === "killmaild_esi_requests_total" && metric.type === "Counter"
          ? [[metric.attributes?.["status"], metric.state.count]]
          : []
      )
      assert.deepStrictEqual(counted, [["503", 1], ["200", 1]])
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))
})
