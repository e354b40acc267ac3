import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber } from "effect"
import type { SqlClient } from "effect/sql"
import { Esi } from "../../src/esi/Esi.ts"
import { asked, error, good, makeWorld, otherGood, otherPath, otherRef, path, reasonOf, ref, up } from "./EsiWorld.ts"

const probeIsDue = (sql: SqlClient.SqlClient) =>
  sql`update rate_limits set probe_at = clock_timestamp() where bucket = 'tranquility'`

describe("Tranquility", () => {
  it.live("being down stops all routes, until a probe finds it up", () =>
    Effect.gen(function*() {
      const { server, esi, replica, sql } = yield* makeWorld
      server.script(path, error(503))
      server.script(otherPath, otherGood)
      server.script("/status", error(503), error(503), up)
      const reason = yield* reasonOf(esi.killmail(ref))
      assert.strictEqual(reason._tag, "EsiPaused")
      if (reason._tag === "EsiPaused") {
        assert.isAbove(reason.waitMillis, 9000)
        assert.isAtMost(reason.waitMillis, 30_000)
      }
      const down = [path, path, path, "/status"]
      assert.deepStrictEqual(asked(server), down)

      // The probe is not due: nobody asks anything.
      const other = Context.get(yield* replica, Esi)
      assert.strictEqual((yield* reasonOf(other.killmail(otherRef)))._tag, "EsiPaused")
      assert.deepStrictEqual(asked(server), down)

      // Due, and asked by one of many; still down.
      yield* probeIsDue(sql)
      yield* Effect.all(Array.from({ length: 10 }, () => reasonOf(other.killmail(otherRef))), { concurrency: 10 })
      assert.deepStrictEqual(asked(server), [...down, "/status"])

      yield* probeIsDue(sql)
      yield* other.killmail(otherRef)
      assert.deepStrictEqual(asked(server), [...down, "/status", "/status", otherPath])
    }))

  it.live("being up leaves errors what they are, and is not asked again while its answer is fresh", () =>
    Effect.gen(function*() {
      const { server, esi, limits } = yield* makeWorld
      server.script(path, error(504))
      server.script("/status", up)
      assert.strictEqual((yield* reasonOf(esi.killmail(ref)))._tag, "EsiUnavailable")
      assert.strictEqual((yield* reasonOf(esi.killmail(ref)))._tag, "EsiUnavailable")
      assert.strictEqual(server.requestsOf("/status"), 1)
      const [state] = yield* limits.list(["tranquility"])
      assert.strictEqual(state!.pauseMillis, 0)
      assert.isAbove(state!.probeMillis, 25_000)
    }))

  it.live("is not asked about during a 420", () =>
    Effect.gen(function*() {
      const { server, esi, limits, sql } = yield* makeWorld
      yield* limits.pause({ bucket: "tranquility", millis: 60_000, reason: "down" })
      yield* limits.pause({ bucket: "esi-errors", millis: 60_000, reason: "420" })
      yield* probeIsDue(sql)
      assert.strictEqual((yield* reasonOf(esi.killmail(ref)))._tag, "EsiPaused")
      assert.strictEqual(server.requests.length, 0)
    }))

  it.live("is asked again, whoever died while asking", () =>
    Effect.gen(function*() {
      const { server, esi, limits, sql } = yield* makeWorld
      server.script(path, good)
      server.script("/status", { silent: true }, up)
      yield* limits.pause({ bucket: "tranquility", millis: 60_000, reason: "down" })
      const asking = yield* Effect.forkChild(esi.killmail(ref))
      yield* server.arrival
      yield* Fiber.interrupt(asking)
      yield* probeIsDue(sql)
      assert.isFalse((yield* esi.killmail(ref)).fromCache)
    }))
})
