import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../../src/store/Database.ts"
import { Maintenance } from "../../src/store/Maintenance.ts"
import { Sessions } from "../../src/store/Sessions.ts"
import { Users } from "../../src/store/Users.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"

const hash = (text: string) => Buffer.from(text.padEnd(32))
const tokens = (name: string, millis = 60_000) => ({
  accessHash: hash(`${name} access`),
  accessMillis: millis,
  refreshHash: hash(`${name} refresh`),
  refreshMillis: millis
})
const device = { deviceType: "browser", pushToken: null } as const

const stores = Layer.mergeAll(Maintenance.layer, Sessions.layer, Users.layer)

const withUser = <A, E>(
  test: (userId: string) => Effect.Effect<A, E, Layer.Success<typeof stores> | SqlClient.SqlClient>
) =>
  Effect.gen(function*() {
    const { url } = yield* migratedDatabase
    const services = Layer.provideMerge(stores, Database.layer(Redacted.make(url)))
    return yield* Effect.gen(function*() {
      const { welcome } = yield* Users
      return yield* test(Option.getOrThrow(yield* welcome({ characterId: 90_000_001, name: "", ownerHash: "" }, null)))
    }).pipe(Effect.provide(services))
  })

describe("sessions", () => {
  it.live("end by age, and are then thrown away with all that was theirs", () =>
    withUser((userId) =>
      Effect.gen(function*() {
        const sessions = yield* Sessions
        yield* sessions.create(userId, device, tokens("fresh"))
        yield* sessions.create(userId, device, tokens("old", -1))
        assert.strictEqual(yield* sessions.rotate(hash("old refresh"), tokens("next")), "unknown")
        assert.isTrue(Option.isNone(yield* sessions.find(hash("old access"))))
        assert.strictEqual((yield* sessions.list(userId)).length, 1)
        const { cleanUp } = yield* Maintenance
        assert.strictEqual((yield* cleanUp).sessions, 1)
        assert.strictEqual((yield* cleanUp).sessions, 0)
        assert.isTrue(Option.isSome(yield* sessions.find(hash("fresh access"))))
      })
    ))

  it.live("of two that renew at once with one token end, as one of them is a thief", () =>
    withUser((userId) =>
      Effect.gen(function*() {
        const sessions = yield* Sessions
        yield* sessions.create(userId, device, tokens("first"))
        const outcomes = yield* Effect.all([
          sessions.rotate(hash("first refresh"), tokens("one")),
          sessions.rotate(hash("first refresh"), tokens("two"))
        ], { concurrency: 2 })
        assert.sameMembers(outcomes, ["rotated", "reused"])
        assert.deepStrictEqual(yield* sessions.list(userId), [])
      })
    ))
})

describe("ways to EVE's SSO", () => {
  it.live("that nobody came back from are forgotten", () =>
    withUser((userId) =>
      Effect.gen(function*() {
        const users = yield* Users
        const way = {
          user_id: null,
          return_to: "/",
          app_state: null,
          app_challenge: null,
          browserHash: hash("browser")
        }
        yield* users.begin({ ...way, stateHash: hash("old"), millis: -1 })
        yield* users.begin({ ...way, stateHash: hash("fresh"), millis: 60_000 })
        yield* users.handOver({ codeHash: hash("code"), userId, challenge: "any", millis: -1 })
        assert.isTrue(Option.isNone(yield* users.takeOver(hash("code"))))
        assert.deepInclude(yield* (yield* Maintenance).cleanUp, { sign_ins: 1, app_codes: 0 })
        assert.isTrue(Option.isSome(yield* users.finish(hash("fresh"), hash("browser"))))
      })
    ))
})

describe("a user's subscription", () => {
  it.live("is one that the database knows, or is refused", () =>
    withUser(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`
          update users
          set email = 'pilot@example.org', tier = 'premium', subscription_status = 'active',
            subscription_ends_at = now(), customer_id = 'cus_1', subscription_id = 'sub_1'`
        const wrong = [
          sql`update users set tier = 'gold'`,
          sql`update users set subscription_status = 'paused'`,
          sql`update users set subscription_status = null`,
          sql`update users set email = 'nobody'`
        ]
        for (const statement of wrong) assert.strictEqual((yield* Effect.flip(statement))._tag, "SqlError")
      })
    ))
})
