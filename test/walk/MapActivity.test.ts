import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mapKey, mapSlug } from "../../src/sandbox/Wanderer.ts"
import { eventually, manualSandbox, startDaemon } from "../support/TestDaemon.ts"

describe("a daemon with a wormhole map", () => {
  it.live("keeps what pilots do there, time and again", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const publish = (passages: number) =>
        sandbox.publishMap([[{ character: 2_112_000_001, passages, connections: 0, signatures: 0 }]])
      publish(5)
      const { context } = yield* startDaemon(sandbox, {
        KILLMAILD_WANDERER_SLUG: mapSlug,
        KILLMAILD_WANDERER_KEY: mapKey,
        KILLMAILD_SCHEDULE_SPEED: "3600"
      })
      yield* Effect.gen(function*() {
        yield* eventually((sql) => sql`select from map_activity_totals`, (rows) => rows.length === 1)
        publish(7)
        const rows = yield* eventually(
          (sql) => sql`select passages from map_activities order by timestamp`,
          (rows) => rows.length === 2
        )
        assert.deepStrictEqual(rows, [{ passages: 5 }, { passages: 2 }])
      }).pipe(Effect.provide(context))
    }), 60_000)
})
