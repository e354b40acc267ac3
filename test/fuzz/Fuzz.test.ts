import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestDatabase } from "../support/TestDatabase.ts"
import * as Fuzz from "./Fuzz.ts"
import { sourcesFor, target } from "./Target.ts"

describe("the interface", () => {
  it.live("answers whatever it is asked as its contract declares, and never with 5xx", () =>
    Effect.gen(function*() {
      const { url: databaseUrl } = yield* TestDatabase.make
      const daemon = yield* target(databaseUrl)
      const sources = yield* sourcesFor(daemon)
      const { findings, statuses } = yield* Effect.promise(() =>
        Fuzz.fuzz({ url: daemon.url, sources, seed: "npm test", first: 0, requests: 2000 })
      )
      assert.deepStrictEqual(findings.map(Fuzz.describe), [])
      assert.isAbove(statuses["rest 200"]!, 150)
      assert.isAbove(statuses["rest 400"]!, 100)
    }), 180_000)
})
