import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { SqlClient } from "effect/sql"
import { AccessTokens } from "../../src/accounts/AccessTokens.ts"
import { pilotOf } from "../../src/sandbox/People.ts"
import { watchRefreshes } from "../support/Refreshes.ts"
import { signIn, world } from "./AccountsWorld.ts"

const pilots = Array.from({ length: 20 }, (_, number) => pilotOf("test", number).character)
const rounds = 12

const tokenOf = (pilot: number) => AccessTokens.use(({ of }) => Effect.result(of(pilot)))

describe("tokens that expire all the time", () => {
  it.live(
    "are renewed by one of three replicas at a time, and none is lost, whatever the SSO answers",
    () =>
      Effect.gen(function*() {
        const { another, context, sandbox } = yield* world({ KILLMAILD_SCHEDULE_SPEED: "10000" })
        const seen = watchRefreshes(sandbox, "refreshes", 0.25)
        const replicas = [context, yield* another(), yield* another()]
        yield* Effect.forEach(pilots, (pilot) => signIn(pilot), { concurrency: 4 }).pipe(Effect.provide(context))

        const tags = new Set<string>()
        for (let round = 0; round < rounds; round++) {
          yield* SqlClient.SqlClient.use((sql) => sql`update user_tokens set renew_at = now()`).pipe(
            Effect.provide(context)
          )
          const results = yield* Effect.forEach(
            replicas,
            (replica) => Effect.forEach(pilots, tokenOf, { concurrency: 5 }).pipe(Effect.provide(replica)),
            { concurrency: 3 }
          )
          for (const result of results.flat()) if (Result.isFailure(result)) tags.add(result.failure._tag)
        }
        assert.strictEqual(seen.most, 1)
        assert.isAbove(seen.failed, pilots.length)
        assert.sameMembers([...tags], ["TokenBusy", "SsoUnavailable", "SsoRefused"])

        // With calm weather each has a token again, and the grant behind it is alive.
        seen.isCalm = true
        yield* Effect.forEach(pilots, (pilot) => AccessTokens.use(({ renew }) => renew(pilot)), { concurrency: 4 })
          .pipe(
            Effect.provide(context)
          )
        assert.deepStrictEqual(sandbox.violations(), [])
      }),
    60_000
  )
})
