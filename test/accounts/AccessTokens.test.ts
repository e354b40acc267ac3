import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Redacted, Result } from "effect"
import { SqlClient } from "effect/sql"
import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { AccessTokens } from "../../src/accounts/AccessTokens.ts"
import type { Reply } from "../../src/sandbox/Faults.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { Users } from "../../src/store/Users.ts"
import { alice, bob, signIn, world } from "./AccountsWorld.ts"

const tokenOf = (characterId: number, otherThan?: Redacted.Redacted) =>
  AccessTokens.use(({ of }) => of(characterId, otherThan === undefined ? {} : { otherThan }))

/** The access token has expired, as far as we know. */
const expire = SqlClient.SqlClient.use((sql) => sql`update user_tokens set renew_at = now()`)

const rows = (characterId = alice) =>
  SqlClient.SqlClient.use((sql) =>
    sql<{ refresh_token: Uint8Array; access_token: Uint8Array; key_id: string; lease_id: string | null }>`
      select * from user_tokens where character_id = ${BigInt(characterId)}`
  )

/** How often the sandbox was asked for tokens. */
const exchanges = (sandbox: Sandbox) => sandbox.requests().filter(({ path }) => path === "/sso/v2/oauth/token").length

const refreshing = (reply: Reply | undefined) => ({ body, upstream }: { upstream: string; body: string }) =>
  upstream === "sso" && body.includes("refresh_token") ? reply : undefined

const oauth = (status: number, error: string): Reply => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ error, error_description: "Invalid refresh token. Character grant missing/expired." })
})

const failureOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.result(effect), (result) => Result.isFailure(result) ? result.failure : undefined)

const inWorld = <A, E, R>(
  test: (made: Effect.Success<ReturnType<typeof world>>) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const made = yield* world()
    return yield* Effect.provide(test(made), made.context)
  })

describe("the token of a character", () => {
  it.live("is kept encrypted, is the same until it is about to expire, and then another", () =>
    inWorld(({ dataDir, sandbox }) =>
      Effect.gen(function*() {
        yield* signIn(alice)
        const first = yield* tokenOf(alice)
        assert.strictEqual(Redacted.value(yield* tokenOf(alice)), Redacted.value(first))
        assert.strictEqual(exchanges(sandbox), 1)
        yield* expire
        const second = yield* tokenOf(alice)
        assert.notStrictEqual(Redacted.value(second), Redacted.value(first))
        const third = yield* tokenOf(alice, second)
        assert.notStrictEqual(Redacted.value(third), Redacted.value(second))
        assert.strictEqual(Redacted.value(yield* tokenOf(alice, second)), Redacted.value(third))
        assert.strictEqual(exchanges(sandbox), 3)

        const [row] = yield* rows()
        for (const sealed of [row!.access_token, row!.refresh_token]) {
          assert.notInclude(Buffer.from(sealed).toString("latin1"), Redacted.value(third).slice(0, 20))
        }
        const keys = join(dataDir, "encryption-keys")
        assert.match(readFileSync(keys, "utf8"), new RegExp(`^${row!.key_id}:[\\w+/]{43}=\n$`))
        assert.strictEqual(statSync(keys).mode & 0o777, 0o600)
        assert.deepStrictEqual(sandbox.violations(), [])
      })
    ))

  it.live("is not there for who never signed in", () =>
    inWorld(() => Effect.map(failureOf(tokenOf(alice)), (error) => assert.strictEqual(error?._tag, "TokenGone"))))

  it.live("is renewed by one of two replicas at a time; the other comes back soon", () =>
    inWorld(({ another, sandbox }) =>
      Effect.gen(function*() {
        yield* signIn(alice)
        yield* expire
        const isUnderWay = yield* Deferred.make<void>()
        const other = yield* another()
        // The first refresh is held up until the second one was refused.
        let isFirst = true
        sandbox.intercept((request) => {
          if (refreshing({})(request) === undefined || !isFirst) return undefined
          isFirst = false
          Effect.runSync(Deferred.succeed(isUnderWay, undefined))
          return { delayMillis: 300 }
        })
        const first = yield* Effect.forkChild(tokenOf(alice))
        yield* Deferred.await(isUnderWay)
        const busy = yield* failureOf(Effect.provide(tokenOf(alice), other))
        assert.strictEqual(busy?._tag, "TokenBusy")
        const token = yield* Fiber.join(first)
        assert.strictEqual(Redacted.value(yield* Effect.provide(tokenOf(alice), other)), Redacted.value(token))
        assert.strictEqual(exchanges(sandbox), 2)
      })
    ))

  it.live("outlives whatever the SSO answers but invalid_grant", () =>
    inWorld(({ sandbox }) =>
      Effect.gen(function*() {
        yield* signIn(alice)
        yield* expire
        let reply: Reply | undefined
        sandbox.intercept((request) => refreshing(reply)(request))
        const cases: ReadonlyArray<readonly [Reply, string]> = [
          [{ status: 502, headers: { "content-type": "text/html" }, body: "<html></html>" }, "SsoUnavailable"],
          [{ status: 200, headers: { "content-type": "text/html" }, body: "<html></html>" }, "SsoUnavailable"],
          [oauth(503, "invalid_grant"), "SsoUnavailable"],
          [{ ...oauth(429, "slow_down"), headers: { "retry-after": "7" } }, "SsoUnavailable"],
          [{ truncate: true }, "SsoUnavailable"],
          [{ reset: true }, "SsoUnavailable"],
          [oauth(401, "invalid_client"), "SsoRefused"],
          [oauth(400, "invalid_scope"), "SsoRefused"],
          [oauth(400, "invalid_request"), "SsoRefused"]
        ]
        for (const [fault, tag] of cases) {
          reply = fault
          const error = yield* failureOf(tokenOf(alice))
          assert.strictEqual(error?._tag, tag, JSON.stringify(fault))
          if (error?._tag === "SsoUnavailable" && fault.status === 429) assert.strictEqual(error.waitMillis, 7000)
          const [row] = yield* rows()
          assert.strictEqual(row?.lease_id, null, JSON.stringify(fault))
        }
        reply = undefined
        yield* tokenOf(alice)
      })
    ))

  it.live("is dropped on invalid_grant, and its owner is told; a new sign-in brings another", () =>
    inWorld(({ sandbox }) =>
      Effect.gen(function*() {
        const { userId } = yield* signIn(alice)
        yield* expire
        sandbox.sso.revokeAll(alice)
        assert.strictEqual((yield* failureOf(tokenOf(alice)))?._tag, "TokenGone")
        const users = yield* Users
        const [gone] = yield* users.characters(userId)
        assert.deepInclude(gone, { dropped_because: "invalid_grant", scopes: [] })
        assert.strictEqual((yield* signIn(alice)).userId, userId)
        const [back] = yield* users.characters(userId)
        assert.deepInclude(back, { dropped_because: null, dropped_at: null })
        yield* tokenOf(alice)
      })
    ))

  it.live("is dropped when it turns out to be another owner's", () =>
    inWorld(() =>
      Effect.gen(function*() {
        const { userId } = yield* signIn(alice)
        yield* expire
        const sql = yield* SqlClient.SqlClient
        yield* sql`update user_characters set owner_hash = 'somebody before'`
        assert.strictEqual((yield* failureOf(tokenOf(alice)))?._tag, "TokenGone")
        const [gone] = yield* Users.use(({ characters }) => characters(userId))
        assert.strictEqual(gone!.dropped_because, "owner_changed")
        assert.deepStrictEqual(yield* rows(), [])
      })
    ))

  it.live("survives a process that dies with its refresh under way, and an answer that is lost", () =>
    inWorld(({ sandbox }) =>
      Effect.gen(function*() {
        yield* signIn(alice)
        yield* expire
        const sql = yield* SqlClient.SqlClient
        yield* sql`update user_tokens set lease_id = gen_random_uuid(), leased_until = now() + interval '1 hour'`
        assert.strictEqual((yield* failureOf(tokenOf(alice)))?._tag, "TokenBusy")
        yield* sql`update user_tokens set leased_until = now()`
        let isLost = true
        sandbox.intercept((request) => isLost ? refreshing({ resetWithin: true })(request) : undefined)
        assert.strictEqual((yield* failureOf(tokenOf(alice)))?._tag, "SsoUnavailable")
        isLost = false
        yield* tokenOf(alice)
      })
    ))

  it.live("is that of its row alone: in another's place, or changed, it is none, and is not thrown away", () =>
    inWorld(() =>
      Effect.gen(function*() {
        yield* signIn(alice)
        yield* signIn(bob)
        const sql = yield* SqlClient.SqlClient
        const swaps = [
          sql`update user_tokens t set access_token = o.access_token from user_tokens o where o.character_id <> t.character_id`,
          sql`update user_tokens set access_token = refresh_token`,
          sql`update user_tokens set access_token = set_byte(access_token, 20, get_byte(access_token, 20) # 1)`,
          sql`update user_tokens set access_token = 'short'`,
          sql`update user_tokens set key_id = 'another'`
        ]
        for (const swap of swaps) {
          yield* sql.withTransaction(Effect.gen(function*() {
            yield* swap
            assert.strictEqual((yield* failureOf(tokenOf(alice)))?._tag, "TokenUnreadable")
            assert.strictEqual((yield* rows()).length, 1)
            yield* Effect.fail("back to what it was" as const)
          })).pipe(Effect.ignore)
          yield* tokenOf(alice)
        }
      })
    ))
})
