import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { CharacterData } from "../../src/store/CharacterData.ts"
import * as Database from "../../src/store/Database.ts"
import { Maintenance } from "../../src/store/Maintenance.ts"
import { Notifications } from "../../src/store/Notifications.ts"
import { Users } from "../../src/store/Users.ts"
import { UserTokens } from "../../src/store/UserTokens.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"

const pilot = 90_000_001
const scopes = ["esi-mail.read_mail.v1"]
const minute = 60_000
const stores = Layer.mergeAll(
  CharacterData.layer,
  Maintenance.layer,
  Notifications.layer,
  Users.layer,
  UserTokens.layer
)

/** A character whose pilot allowed to read its mail. */
const withPilot = <A, E>(
  test: (userId: string) => Effect.Effect<A, E, Layer.Success<typeof stores> | SqlClient.SqlClient>
) =>
  Effect.gen(function*() {
    const { url } = yield* migratedDatabase
    return yield* Effect.gen(function*() {
      const user = yield* (yield* Users).welcome({ characterId: pilot, name: "", ownerHash: "" }, null)
      const sealed = { key_id: "any", refresh_token: Buffer.of(1), access_token: Buffer.of(2) }
      yield* (yield* UserTokens).put(pilot, { ...sealed, scopes, freshMillis: minute })
      return yield* test(Option.getOrThrow(user))
    }).pipe(Effect.provide(Layer.provideMerge(stores, Database.layer(Redacted.make(url)))))
  })

const mailed = (id: number) => ({
  change: "mail_received",
  subject: String(id),
  at: "2026-11-21T12:00:00Z",
  data: { mail_id: id }
})
const synced = (known: { readonly synced_at: Date | null }, ids: ReadonlyArray<number>) => ({
  known,
  synced_at: new Date(),
  data: { headers: ids.map((mail_id) => ({ mail_id })) },
  answers: {},
  changes: ids.map(mailed),
  dueMillis: minute
})

describe("what ESI tells of a character", () => {
  it.live("is due until it is asked for, and then not before its time, for who has the scopes", () =>
    withPilot(() =>
      Effect.gen(function*() {
        const store = yield* CharacterData
        assert.deepStrictEqual(yield* store.due("mail", scopes, 10), [pilot])
        assert.deepStrictEqual(yield* store.due("orders", ["esi-markets.read_character_orders.v1"], 10), [])
        yield* store.begin(pilot, "mail", minute)
        assert.deepStrictEqual(yield* store.due("mail", scopes, 10), [])
        yield* store.begin(pilot, "mail", -minute)
        assert.deepStrictEqual(yield* store.due("mail", scopes, 10), [pilot])
      })
    ))

  it.live("is stored with its changes and their notifications, each once, however often they come", () =>
    withPilot((userId) =>
      Effect.gen(function*() {
        const store = yield* CharacterData
        const first = Option.getOrThrow(yield* store.begin(pilot, "mail", minute))
        assert.isNull(first.synced_at)
        assert.isBelow(first.unseen_millis, minute)
        assert.strictEqual(yield* store.keep(pilot, "mail", synced(first, [1, 2])), 2)
        const second = Option.getOrThrow(yield* store.begin(pilot, "mail", minute))
        assert.strictEqual(yield* store.keep(pilot, "mail", synced(second, [2, 3])), 1)
        assert.strictEqual(yield* (yield* Notifications).unread(userId), 3)
        const changes = yield* store.changes(userId, { characterId: pilot, limit: 10 })
        assert.deepStrictEqual(changes.map(({ data }) => data["mail_id"]), [3, 2, 1])
        assert.deepStrictEqual(yield* store.changes(userId, { kind: "mail", limit: 10 }), changes)
      })
    ))

  it.live("is not stored over what another sync stored meanwhile", () =>
    withPilot((userId) =>
      Effect.gen(function*() {
        const store = yield* CharacterData
        const known = Option.getOrThrow(yield* store.begin(pilot, "mail", minute))
        yield* store.keep(pilot, "mail", synced(known, [1]))
        assert.strictEqual(yield* store.keep(pilot, "mail", synced(known, [2])), 0)
        const shown = Option.getOrThrow(yield* store.find(userId, pilot, "mail"))
        assert.deepStrictEqual(shown.data, { headers: [{ mail_id: 1 }] })
      })
    ))

  it.live("says when it last changed, which the same once more does not", () =>
    withPilot((userId) =>
      Effect.gen(function*() {
        const store = yield* CharacterData
        const changedAt = Effect.gen(function*() {
          const known = Option.getOrThrow(yield* store.begin(pilot, "mail", minute))
          yield* store.keep(pilot, "mail", synced(known, [1]))
          return Option.getOrThrow(yield* store.find(userId, pilot, "mail")).changed_at
        })
        assert.deepStrictEqual(yield* changedAt, yield* changedAt)
      })
    ))

  it.live("goes when its character leaves, and its changes go by age", () =>
    withPilot((userId) =>
      Effect.gen(function*() {
        const store = yield* CharacterData
        const sql = yield* SqlClient.SqlClient
        const known = Option.getOrThrow(yield* store.begin(pilot, "mail", minute))
        yield* store.keep(pilot, "mail", synced(known, [1, 2]))
        yield* sql`update character_changes set noticed_at = now() - interval '181 days' where subject = '1'`
        assert.strictEqual((yield* (yield* Maintenance).cleanUp).character_changes, 1)
        yield* (yield* Users).remove(userId)
        assert.deepStrictEqual(
          yield* sql`select from character_data union all select from character_changes`,
          []
        )
        assert.isTrue(Option.isNone(yield* store.begin(pilot, "mail", minute)))
      })
    ))
})
