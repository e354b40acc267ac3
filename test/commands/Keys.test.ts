import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { seal } from "../../src/accounts/TokenCipher.ts"
import * as Database from "../../src/store/Database.ts"
import { Users } from "../../src/store/Users.ts"
import { UserTokens } from "../../src/store/UserTokens.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"
import { run } from "./CommandLine.ts"

const keyOf = (byte: number) => Buffer.alloc(32, byte)
const setting = (id: string, byte: number) => `${id}:${keyOf(byte).toString("base64")}`

const rotate = (url: string, keys: string) =>
  run(["keys", "rotate", "--json"], { DATABASE_URL: url, KILLMAILD_ENCRYPTION_KEYS: keys })

describe("keys rotate", () => {
  it.live(
    "encrypts all tokens under the first key, and ends with 1 when it cannot decrypt some",
    () =>
      Effect.gen(function*() {
        const { url } = yield* migratedDatabase
        yield* Effect.gen(function*() {
          const users = yield* Users
          const tokens = yield* UserTokens
          for (const characterId of [90_000_001, 90_000_002]) {
            yield* users.welcome({ characterId, name: "Some Pilot", ownerHash: "any" }, null)
            const secrets = { access: Redacted.make("access"), refresh: Redacted.make("refresh") }
            const sealed = seal({ id: "old", key: keyOf(1) }, characterId, secrets)
            yield* tokens.put(characterId, { ...sealed, scopes: ["publicData"], freshMillis: 1000 })
          }
          const lost = yield* rotate(url, setting("new", 2))
          assert.strictEqual(lost.status, 1)
          assert.match(lost.err, /keys rotate: no key decrypts the tokens of 2 characters, .*90000001, 90000002\./)
          const { out, status } = yield* rotate(url, `${setting("new", 2)},${setting("old", 1)}`)
          assert.strictEqual(status, 0)
          assert.deepInclude(JSON.parse(out.trim().split("\n").at(-1)!), { keyId: "new", isNew: false, encrypted: 2 })
          assert.deepStrictEqual(yield* tokens.keysInUse, [{ key_id: "new", tokens: 2 }])
          assert.notInclude(out, keyOf(2).toString("base64"))
          const sql = yield* SqlClient.SqlClient
          assert.strictEqual((yield* sql`select from users`).length, 2)
        }).pipe(
          Effect.provide(Users.layer),
          Effect.provide(UserTokens.layer),
          Effect.provide(Database.layer(Redacted.make(url)))
        )
      }),
    60_000
  )
})
