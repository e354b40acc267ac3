import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { run } from "./Rig.ts"

describe("a daemon under fire", () => {
  it.live(
    "loses nothing, doubles nothing and tells every subscriber everything in order",
    () =>
      Effect.gen(function*() {
        const { findings } = yield* run({
          seed: "npm test",
          killmails: 2000,
          kills: ["jobs", "daemon", "postgres", "both", "jobs"],
          faults: 0.1,
          speed: 100
        })
        assert.deepStrictEqual(findings, [])
      }),
    180_000
  )
})
