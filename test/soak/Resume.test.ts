import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { freePort } from "../support/FreePort.ts"
import { TestDatabase } from "../support/TestDatabase.ts"
import { prepare } from "./Audit.ts"
import { listen } from "./Listeners.ts"
import { filesOf } from "./Publications.ts"
import { excuse, publish, start, storedAtLeast, until } from "./Rig.ts"

const seed = "resume"
const speed = 100
/** Files published at a time. */
const chunk = 20

/** Two hundred clients that come and go are as much work as all else in these tests: they come where they are asked for. */
const isLarge = process.env["SOAK_RESUME"] !== undefined
const clients = isLarge ? 200 : 25
const killmails = isLarge ? 600 : 160
/** Of the daemon, evenly over the run. */
const kills = isLarge ? 3 : 2

describe("clients with a filter each, 200 where SOAK_RESUME is set", () => {
  it.live(
    "have heard exactly what SQL finds, in its order, however often they and the daemon went away",
    () =>
      Effect.gen(function*() {
        const { url: databaseUrl } = yield* TestDatabase.make
        const port = yield* freePort
        const environment = { KILLMAILD_PORT: String(port), KILLMAILD_FEEDS: "r2z2" }
        const rig = yield* start({ databaseUrl, seed, speed, faults: 0, environment })
        const { processes, sandbox, sql } = rig
        yield* until(
          "the daemon to find the head of the feed, and to learn what things are",
          Effect.map(
            sql`select from feed_cursors, static_data_version where cursor is not null and version > 0`,
            ([row]) => row
          )
        )
        yield* Effect.gen(function*() {
          yield* prepare
          yield* Effect.forkScoped(excuse(sandbox))
          const listeners = yield* Effect.acquireRelease(
            Effect.sync(() => listen({ seed, killmails, count: clients, url: `ws://127.0.0.1:${port}/ws` })),
            ({ close }) => Effect.sync(close)
          )
          const publishing = yield* Effect.forkScoped(Effect.gen(function*() {
            const files = [...filesOf(seed, killmails)]
            for (let first = 0; first < files.length; first += chunk) {
              yield* publish(rig, files.slice(first, first + chunk))
              yield* Effect.sleep(1000 * chunk / (2 * speed))
            }
          }))
          for (let kill = 1; kill <= kills; kill++) {
            yield* storedAtLeast(rig, Math.floor(kill * killmails / (kills + 1)))
            processes.kill("daemon")
          }
          yield* Fiber.join(publishing)
          yield* storedAtLeast(rig, killmails)
          listeners.settle()
          const wanted = yield* listeners.wanted
          yield* until(
            "all to hear the last that fits",
            Effect.sync(() => listeners.haveHeard(wanted) ? true : undefined)
          ).pipe(Effect.ignore)
          assert.deepStrictEqual(listeners.findings(wanted), [])
          assert.deepStrictEqual(processes.findings(), [])
          assert.isAbove(listeners.connections(), 2 * clients)
        }).pipe(Effect.provideService(SqlClient.SqlClient, sql))
      }),
    300_000
  )
})
