import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { SqlClient } from "effect/sql"
import { decodeJwt } from "jose"
import { AccessTokens } from "../../src/accounts/AccessTokens.ts"
import type { Reply } from "../../src/sandbox/Faults.ts"
import { pilotOf } from "../../src/sandbox/People.ts"
import { randomOf } from "../../src/sandbox/Random.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { signIn, world } from "./AccountsWorld.ts"

const pilots = Array.from({ length: 20 }, (_, number) => pilotOf("test", number).character)
const rounds = 12

/** In every way that says nothing about the token; some after the SSO has given another one. */
const accidents: ReadonlyArray<Reply> = [
  { status: 502, headers: { "content-type": "text/html" }, body: "<html></html>" },
  { status: 503 },
  { status: 429, headers: { "retry-after": "0.01" } },
  { status: 200, headers: { "content-type": "text/html" }, body: "<html></html>" },
  { status: 401, headers: { "content-type": "application/json" }, body: `{"error":"invalid_client"}` },
  { status: 400, headers: { "content-type": "application/json" }, body: `{"error":"invalid_scope"}` },
  { reset: true },
  { resetWithin: true },
  { truncate: true }
]

const tokenOf = (pilot: number) => AccessTokens.use(({ of }) => Effect.result(of(pilot)))

/** Watches whose refreshes are under way, while one in four meets an accident. */
const watch = (sandbox: Sandbox) => {
  const random = randomOf("refreshes")
  const owners = new Map<string, string>()
  const underWay = new Map<string, number>()
  const seen = { most: 0, refreshes: 0, faults: 0, isCalm: false }

  const note = (body: string): string => {
    const { access_token, refresh_token } = JSON.parse(body) as Record<string, string>
    owners.set(refresh_token!, decodeJwt(access_token!).sub!)
    return body
  }
  sandbox.intercept(({ body, path }) => {
    if (path !== "/v2/oauth/token") return undefined
    const shown = new URLSearchParams(body).get("refresh_token")
    if (shown === null) return { alter: note }
    const owner = owners.get(shown)!
    seen.refreshes += 1
    const fault = !seen.isCalm && random.chance(0.25) ? random.pick(accidents) : undefined
    if (fault !== undefined) seen.faults += 1
    if (fault?.status !== undefined || fault?.reset === true) return fault
    const others = underWay.get(owner) ?? 0
    seen.most = Math.max(seen.most, others + 1)
    underWay.set(owner, others + 1)
    return {
      ...fault,
      delayMillis: random.whole(0, 20),
      alter: (answered) => {
        underWay.set(owner, underWay.get(owner)! - 1)
        return note(answered)
      }
    }
  })
  return seen
}

describe("tokens that expire all the time", () => {
  it.live(
    "are renewed by one of three replicas at a time, and none is lost, whatever the SSO answers",
    () =>
      Effect.gen(function*() {
        const { another, context, sandbox } = yield* world({ KILLMAILD_SCHEDULE_SPEED: "10000" })
        const seen = watch(sandbox)
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
        assert.isAbove(seen.faults, pilots.length)
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
