import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Redacted } from "effect"
import { Esi } from "../../src/esi/Esi.ts"
import {
  asked,
  bodyOf,
  error,
  good,
  hash,
  makeWorld,
  otherGood,
  otherPath,
  otherRef,
  path,
  reasonOf,
  ref,
  refusal,
  tokenHeaders,
  usedOf
} from "./EsiWorld.ts"
import type { Reply, Request } from "./ScriptedEsi.ts"

const own = (characterId: number): string => `/characters/${characterId}/killmails/recent`

describe("the token bucket", () => {
  it.live("is spent by two replicas together", () =>
    Effect.gen(function*() {
      const { server, esi, replica, limits } = yield* makeWorld
      // Room for six more reservations of 5 at once.
      yield* limits.observe({ bucket: "esi:killmail", limit: 30, windowMillis: 900_000, remaining: 30 })
      const other = Context.get(yield* replica, Esi)
      const outcomes = yield* Effect.forEach(Array.from({ length: 40 }, (_, i) => i), (i) => {
        const id = 1000 + i
        server.script(`/killmails/${id}/${hash}`, { body: bodyOf(id) })
        return Effect.result((i % 2 === 0 ? esi : other).killmail({ killmail_id: id, hash }))
      }, { concurrency: 40 })
      const served = outcomes.filter((outcome) => outcome._tag === "Success").length
      assert.strictEqual(served, server.requests.length)
      // A 15th would not have found the 5 that it may cost.
      assert.isAtMost(served, 13)
      assert.isAtLeast(served, 6)
      assert.isAtMost((yield* usedOf(limits, "esi:killmail"))!, 30)
      const refused = outcomes.flatMap((outcome) => outcome._tag === "Failure" ? [outcome.failure] : [])
      for (const failure of refused) {
        assert.strictEqual(failure._tag, "EsiError")
        if (failure._tag === "EsiError") assert.strictEqual(failure.reason._tag, "EsiPaused")
      }
    }))

  it.live("is what the server says, where that is less", () =>
    Effect.gen(function*() {
      const { server, esi, limits } = yield* makeWorld
      server.script(path, { ...good, headers: tokenHeaders(4, 2, "100/15m") })
      server.script(otherPath, otherGood)
      yield* esi.killmail(ref)
      const [state] = yield* limits.list(["esi:killmail"])
      assert.deepStrictEqual([state!.limit, state!.used], [100, 96])
      const reason = yield* reasonOf(esi.killmail(otherRef))
      assert.strictEqual(reason._tag, "EsiPaused")
      if (reason._tag === "EsiPaused") assert.isAbove(reason.waitMillis, 800_000)
      assert.deepStrictEqual(asked(server), [path])
    }))

  it.live("is slept for when it comes back within a second", () =>
    Effect.gen(function*() {
      const { server, esi } = yield* makeWorld
      server.script(path, { ...good, headers: tokenHeaders(0, 2, "100/300ms") })
      server.script(otherPath, otherGood)
      yield* esi.killmail(ref)
      assert.isFalse((yield* esi.killmail(otherRef)).fromCache)
    }))

  it.live("is not slept for by who is in no hurry", () =>
    Effect.gen(function*() {
      const { server, esi } = yield* makeWorld
      server.script(path, { ...good, headers: tokenHeaders(0, 2, "100/800ms") })
      yield* esi.killmail(ref)
      const reason = yield* reasonOf(esi.killmail(otherRef, { isUnhurried: true }))
      assert.strictEqual(reason._tag, "EsiPaused")
      if (reason._tag === "EsiPaused") assert.isBelow(reason.waitMillis, 1000)
      assert.deepStrictEqual(asked(server), [path])
    }))

  it.live("is the one that the headers name", () =>
    Effect.gen(function*() {
      const { server, esi, limits } = yield* makeWorld
      server.script(path, { ...good, headers: { ...tokenHeaders(48, 2, "50/15m"), "x-ratelimit-group": "moved" } })
      server.script(otherPath, { ...otherGood, headers: { "x-ratelimit-group": "moved" } })
      yield* esi.killmail(ref)
      yield* esi.killmail(otherRef)
      assert.strictEqual(yield* usedOf(limits, "esi:killmail"), 0)
      assert.strictEqual(yield* usedOf(limits, "esi:moved"), 4)
    }))

  it.live("is each pilot's own where one is asked for, in whose name ESI is told what is known", () =>
    Effect.gen(function*() {
      const { client, limits, server } = yield* makeWorld
      const group = { name: "char-killmail", limit: 30, windowMillis: 900_000 }
      const headers = { "x-ratelimit-group": "char-killmail", "x-ratelimit-limit": "30/15m" }
      server.script(own(1), { body: "[]", headers: { ...headers, "x-ratelimit-used": "2" } })
      server.script(own(2), { status: 304, headers: { ...headers, "x-ratelimit-used": "1" } })
      const ask = (characterId: number, etag?: string) =>
        client.send({
          route: own(0),
          path: own(characterId),
          group,
          as: { characterId, token: Redacted.make(`token of ${characterId}`) },
          etag
        })
      assert.strictEqual((yield* ask(1)).status, 200)
      assert.deepInclude(yield* ask(2, "W/known"), { status: 304, text: "" })
      const [first, second] = server.requests.map(({ headers }) => headers)
      assert.deepInclude(first, { authorization: "Bearer token of 1" })
      assert.deepInclude(second, { authorization: "Bearer token of 2", "if-none-match": "W/known" })
      const used = yield* Effect.forEach([1, 2], (pilot) => usedOf(limits, `esi:char-killmail:${pilot}`))
      assert.deepStrictEqual(used, [2, 1])
    }))
})

describe("a refusal for now", () => {
  const refusals: ReadonlyArray<[name: string, reply: Reply, bucket: string, seconds: number]> = [
    ["429 with Retry-After", error(429, { ...tokenHeaders(0, 0), "retry-after": "30" }), "esi:killmail", 30],
    ["429 without a word", error(429), "esi:killmail", 60],
    [
      "420 with a reset",
      error(420, { "x-esi-error-limit-remain": "0", "x-esi-error-limit-reset": "20" }),
      "esi-errors",
      20
    ],
    ["420 without a word", error(420), "esi-errors", 60]
  ]
  for (const [name, reply, bucket, seconds] of refusals) {
    it.live(`${name} stops every replica and costs no attempt`, () =>
      Effect.gen(function*() {
        const { server, reason, replica } = yield* refusal(reply)
        server.script(otherPath, otherGood)
        const other = yield* reasonOf(Context.get(yield* replica, Esi).killmail(otherRef))
        for (const each of [reason, other]) {
          assert.strictEqual(each._tag, "EsiPaused")
          if (each._tag !== "EsiPaused") continue
          assert.strictEqual(each.bucket, bucket)
          assert.isAbove(each.waitMillis, seconds * 1000 - 1000)
          assert.isBelow(each.waitMillis, seconds * 1000 * 1.3)
        }
        assert.deepStrictEqual(asked(server), [path])
      }))
  }

  it.live("is over when its time is", () =>
    Effect.gen(function*() {
      const { server, esi } = yield* refusal(error(429, { "retry-after": "0.2" }), good)
      assert.isFalse((yield* esi.killmail(ref)).fromCache)
      assert.strictEqual(server.requestsOf(path), 2)
    }))

  it.live("comes before a 420: few errors left stop everything until the reset", () =>
    Effect.gen(function*() {
      const { server, client, esi } = yield* makeWorld
      const few = { "x-esi-error-limit-remain": "19", "x-esi-error-limit-reset": "50" }
      server.script("/universe/types/1", error(404, few))
      const legacy = { route: "/universe/types/{type_id}", path: "/universe/types/1" }
      assert.strictEqual((yield* reasonOf(client.send(legacy)))._tag, "EsiNotFound")
      for (const effect of [client.send(legacy), esi.killmail(ref)]) {
        const reason = yield* reasonOf<unknown, unknown>(effect)
        assert.strictEqual(reason._tag, "EsiPaused")
        if (reason._tag === "EsiPaused") assert.strictEqual(reason.bucket, "esi-errors")
      }
      assert.strictEqual(server.requests.length, 1)
    }))

  it.live("by one route without a bucket stops that route only", () =>
    Effect.gen(function*() {
      const { server, client } = yield* makeWorld
      server.script("/markets/1/history", error(429, { "retry-after": "30" }))
      server.script("/markets/prices", { body: "[]" })
      const history = { route: "/markets/{region_id}/history", path: "/markets/1/history" }
      assert.strictEqual((yield* reasonOf(client.send(history)))._tag, "EsiPaused")
      assert.strictEqual((yield* reasonOf(client.send(history)))._tag, "EsiPaused")
      yield* client.send({ route: "/markets/prices", path: "/markets/prices" })
      assert.deepStrictEqual(asked(server), ["/markets/1/history", "/markets/prices"])
    }))
})

describe("a question with a body", () => {
  it.live("is a POST of JSON, under the same headers and limits", () =>
    Effect.gen(function*() {
      const { client, limits, server } = yield* makeWorld
      server.script("/universe/names", { body: "[]" }, error(404))
      const question = { route: "/universe/names", path: "/universe/names", body: [90000001, 90000002] }
      assert.strictEqual((yield* client.send(question)).text, "[]")
      const [{ body, headers, method }] = server.requests as [Request]
      assert.deepStrictEqual([method, body], ["POST", "[90000001,90000002]"])
      assert.include(headers["content-type"], "application/json")
      assert.include(headers["user-agent"], "tests@example.org")
      assert.strictEqual(yield* usedOf(limits, "esi-errors"), 0)
      assert.strictEqual((yield* reasonOf(client.send(question)))._tag, "EsiNotFound")
      assert.strictEqual(yield* usedOf(limits, "esi-errors"), 1)
    }))
})

describe("an answer without end", () => {
  it.live("is not read to its end, and counts as an outage", () =>
    Effect.gen(function*() {
      const { server, client } = yield* makeWorld
      server.script("/markets/prices", { body: " ".repeat(17 * 1024 * 1024) })
      const reason = yield* reasonOf(client.send({ route: "/markets/prices", path: "/markets/prices" }))
      assert.strictEqual(reason._tag, "EsiUnavailable")
      assert.include(reason.message, "16 MiB")
    }))
})
