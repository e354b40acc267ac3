import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { scheduleOf } from "./Schedule.ts"
import { run } from "./Soak.ts"

describe("a daemon under fire", () => {
  it.live(
    "loses nothing, doubles nothing and tells every subscriber everything in order",
    () =>
      Effect.gen(function*() {
        const seed = "npm test"
        const { findings, recoveries, seconds } = yield* run({
          seed,
          killmails: 2000,
          events: scheduleOf(seed, { kills: 4, restarts: 1, networks: 0 }),
          faults: 0.1,
          speed: 100
        })
        assert.deepStrictEqual(findings, [], `after ${seconds} s: ${JSON.stringify(recoveries)}`)
      }),
    300_000
  )
})
