import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../../src/store/Database.ts"
import { KillmailAlerts, mostAlerts } from "../../src/store/KillmailAlerts.ts"
import { Maintenance } from "../../src/store/Maintenance.ts"
import { type News, Notifications, notificationStatuses } from "../../src/store/Notifications.ts"
import { Sessions } from "../../src/store/Sessions.ts"
import { Users } from "../../src/store/Users.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"

const stores = Layer.mergeAll(KillmailAlerts.layer, Maintenance.layer, Notifications.layer, Sessions.layer, Users.layer)

const withUser = <A, E>(
  test: (userId: string) => Effect.Effect<A, E, Layer.Success<typeof stores> | SqlClient.SqlClient>
) =>
  Effect.gen(function*() {
    const { url } = yield* migratedDatabase
    return yield* Effect.gen(function*() {
      const { welcome } = yield* Users
      return yield* test(Option.getOrThrow(yield* welcome({ characterId: 90_000_001, name: "", ownerHash: "" }, null)))
    }).pipe(Effect.provide(Layer.provideMerge(stores, Database.layer(Redacted.make(url)))))
  })

const hash = (text: string) => Buffer.from(text.padEnd(32))
const signIn = (userId: string, name: string, pushToken: string | null) =>
  Sessions.use(({ create }) =>
    create(userId, { deviceType: "android", pushToken }, {
      accessHash: hash(`${name} access`),
      accessMillis: 60_000,
      refreshHash: hash(`${name} refresh`),
      refreshMillis: 60_000
    })
  )

const killed = (userId: string, id: number): News => ({
  user_id: userId,
  character_id: null,
  kind: "killmail_matched",
  subject: String(id),
  data: { killmail_id: id }
})
const page = { statuses: notificationStatuses, before: undefined, limit: 10 }
const jobs = SqlClient.SqlClient.use((sql) =>
  sql<{ key: string }>`
    select key from graphile_worker.jobs where task_identifier = 'deliver_push' order by key`
)

describe("notifications", () => {
  it.live("are told once, with a job for each device that has a push token", () =>
    withUser((userId) =>
      Effect.gen(function*() {
        const notifications = yield* Notifications
        yield* signIn(userId, "browser", null)
        const phone = yield* signIn(userId, "phone", "of a phone")
        assert.strictEqual(yield* notifications.add([killed(userId, 1), killed(userId, 2)]), 2)
        assert.strictEqual(yield* notifications.add([killed(userId, 2), killed(userId, 3)]), 1)
        assert.strictEqual(yield* notifications.unread(userId), 3)
        const listed = yield* notifications.list(userId, page)
        assert.deepStrictEqual(listed.map(({ data }) => data["killmail_id"]), [3, 2, 1])
        assert.sameMembers(
          (yield* jobs).map(({ key }) => key),
          listed.map(({ id }) => `deliver_push:${id}:${phone}`)
        )
      })
    ))

  it.live("are those that the user's settings allow, and go with the transaction that tells them", () =>
    withUser((userId) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const notifications = yield* Notifications
        const told = sql.withTransaction(
          Effect.andThen(notifications.add([killed(userId, 1)]), Effect.fail("rolled back"))
        )
        assert.strictEqual(yield* Effect.flip(told), "rolled back")
        assert.strictEqual(yield* notifications.unread(userId), 0)
        yield* sql`update user_settings set notify_killmails = false`
        assert.strictEqual(yield* notifications.add([killed(userId, 1)]), 0)
        assert.strictEqual(
          yield* notifications.add([{ ...killed(userId, 1), kind: "skill_done", character_id: 90_000_001 }]),
          1
        )
      })
    ))

  it.live("are sent once a device took them, and read for good", () =>
    withUser((userId) =>
      Effect.gen(function*() {
        const notifications = yield* Notifications
        const phone = yield* signIn(userId, "phone", "of a phone")
        yield* notifications.add([killed(userId, 1)])
        const { id } = (yield* notifications.list(userId, page))[0]!
        const status = Effect.map(notifications.list(userId, page), ([row]) => row!.status)
        yield* notifications.settle(id, "failed")
        assert.strictEqual(yield* status, "failed")
        yield* notifications.settle(id, "sent")
        yield* notifications.settle(id, "failed")
        assert.strictEqual(yield* status, "sent")
        const device = Option.getOrThrow(yield* notifications.forDevice(id, phone))
        assert.strictEqual(device.push_token, "of a phone")
        assert.strictEqual(yield* notifications.markRead(userId), 1)
        assert.strictEqual(yield* notifications.markRead(userId, id), 1)
        yield* notifications.settle(id, "failed")
        assert.strictEqual(yield* status, "read")
        assert.isTrue(Option.isNone(yield* notifications.forDevice(id, phone)))
      })
    ))

  it.live("are thrown away by age", () =>
    withUser((userId) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const notifications = yield* Notifications
        yield* notifications.add([1, 2, 3].map((id) => killed(userId, id)))
        yield* sql`update notifications set created_at = now() - interval '181 days' where subject = '1'`
        yield* sql`
          update notifications set status = 'read', read_at = now() - interval '31 days' where subject = '2'`
        assert.strictEqual((yield* (yield* Maintenance).cleanUp).notifications, 2)
        assert.deepStrictEqual((yield* notifications.list(userId, page)).map(({ data }) => data), [{ killmail_id: 3 }])
      })
    ))
})

describe("alerts of killmails", () => {
  it.live("are their owner's, and not more than a user may have, however many are made at once", () =>
    withUser((userId) =>
      Effect.gen(function*() {
        const alerts = yield* KillmailAlerts
        const wanted = { name: "Home", filter: { system: [30_000_142] }, is_enabled: true }
        const made = yield* Effect.forEach(
          Array.from({ length: mostAlerts + 3 }),
          () => alerts.create(userId, wanted),
          { concurrency: 8 }
        )
        assert.strictEqual(made.filter(Option.isSome).length, mostAlerts)
        const { id } = (yield* alerts.list(userId))[0]!
        const other = "00000000-0000-7000-8000-000000000000"
        assert.isTrue(Option.isNone(yield* alerts.change(other, id, { name: "Mine" })))
        assert.isFalse(yield* alerts.remove(other, id))
        const changed = Option.getOrThrow(yield* alerts.change(userId, id, { is_enabled: false }))
        assert.deepStrictEqual(changed.filter, wanted.filter)
        assert.strictEqual((yield* alerts.enabled).length, mostAlerts - 1)
        assert.isTrue(yield* alerts.remove(userId, id))
      })
    ))
})
