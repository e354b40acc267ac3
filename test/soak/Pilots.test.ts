import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { run } from "./Pilots.ts"

const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise)

describe("pilots whose tokens expire all the time", () => {
  it.live(
    "have all their killmails and keep their tokens, whatever is killed and refused",
    () =>
      Effect.gen(function*() {
        const outcome = yield* run({
          seed: process.env["SOAK_SEED"] ?? "pilots",
          pilots: number("SOAK_PILOTS", 8),
          killmails: number("SOAK_KILLMAILS", 12),
          kills: number("SOAK_KILLS", 3),
          speed: number("SOAK_SPEED", 200)
        })
        if (process.env["SOAK_LOG"] !== undefined) process.stderr.write(`${JSON.stringify(outcome)}\n`)
        assert.deepStrictEqual(outcome.findings, [], JSON.stringify(outcome))
        assert.isAbove(outcome.refreshes, 0)
      }),
    // A run that hangs ends itself; one of 200 pilots takes its time.
    3_600_000
  )
})
