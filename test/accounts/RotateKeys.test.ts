import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted, Result } from "effect"
import { SqlClient } from "effect/sql"
import { AccessTokens } from "../../src/accounts/AccessTokens.ts"
import { rotateKeys } from "../../src/accounts/RotateKeys.ts"
import { pilotOf } from "../../src/sandbox/People.ts"
import { UserTokens } from "../../src/store/UserTokens.ts"
import { alice, signIn, world } from "./AccountsWorld.ts"

const rotate = rotateKeys(() => Effect.void)
const keysInUse = UserTokens.use((store) => store.keysInUse)
const tokenOf = (characterId: number) => AccessTokens.use(({ of }) => of(characterId))
const keyOf = (byte: number) => Buffer.alloc(32, byte).toString("base64")

describe("a rotation of keys", () => {
  it.live("puts all tokens under a new key while they are read and renewed, and none is lost", () =>
    Effect.gen(function*() {
      const { another, context } = yield* world()
      const pilots = Array.from({ length: 12 }, (_, number) => pilotOf("test", number).character)
      yield* Effect.gen(function*() {
        yield* Effect.forEach(pilots, (pilot) => signIn(pilot), { concurrency: 4 })
        const before = yield* keysInUse
        assert.strictEqual(before.length, 1)

        // Another replica renews all the time.
        const other = yield* another()
        const sql = yield* SqlClient.SqlClient
        const load = Effect.gen(function*() {
          for (const pilot of pilots) {
            yield* sql`update user_tokens set renew_at = now() where character_id = ${BigInt(pilot)}`
            yield* Effect.provide(tokenOf(pilot), other)
          }
        })
        const renewing = yield* Effect.forkChild(load)
        const done = yield* rotate
        yield* Fiber.join(renewing)
        yield* load
        assert.deepInclude(done, { isNew: true, unreadable: [] })
        assert.deepStrictEqual(yield* keysInUse, [{ key_id: done.keyId, tokens: pilots.length }])
        assert.notStrictEqual(done.keyId, before[0]!.key_id)
        yield* Effect.forEach(pilots, tokenOf)
      }).pipe(Effect.provide(context))
    }))

  it.live("uses the first of the keys that are set, and tells of tokens that none of them decrypts", () =>
    Effect.gen(function*() {
      const { another, context } = yield* world({ KILLMAILD_ENCRYPTION_KEYS: `old:${keyOf(1)}` })
      const token = yield* Effect.andThen(signIn(alice), tokenOf(alice)).pipe(Effect.provide(context))
      const lost = yield* another({ KILLMAILD_ENCRYPTION_KEYS: `new:${keyOf(2)}` })
      const failed = yield* Effect.result(Effect.provide(tokenOf(alice), lost))
      assert.match(
        Result.isFailure(failed) ? failed.failure.message : "",
        /^KILLMAILD_ENCRYPTION_KEYS: there is no key old,/
      )
      assert.deepInclude(yield* Effect.provide(rotate, lost), { encrypted: 0, unreadable: [alice] })

      const both = yield* another({ KILLMAILD_ENCRYPTION_KEYS: `new:${keyOf(2)},old:${keyOf(1)}` })
      assert.deepStrictEqual(yield* Effect.provide(rotate, both), {
        keyId: "new",
        isNew: false,
        encrypted: 1,
        unreadable: []
      })
      assert.strictEqual(Redacted.value(yield* Effect.provide(tokenOf(alice), lost)), Redacted.value(token))
      assert.deepInclude(yield* Effect.provide(rotate, both), { encrypted: 0 })
    }))
})
