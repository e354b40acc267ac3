import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import type { Reply } from "../../src/sandbox/Faults.ts"
import { pilotOf } from "../../src/sandbox/People.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { type NotificationKind, Notifications } from "../../src/store/Notifications.ts"
import { makeBrowser, signInWith } from "../support/Browser.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { eventually, manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

/** Each test has pilots and devices of its own. */
let count = 0

class World extends Context.Service<World, {
  readonly url: string
  readonly sandbox: Sandbox
  readonly context: Context.Context<SqlClient.SqlClient | Notifications>
}>()("killmaild/test/World") {
  static readonly layer = Layer.effect(
    World,
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox({ speed: 1 })
      const { url: databaseUrl } = yield* migratedDatabase
      const { context, url } = yield* stoppableDaemon(databaseUrl, sandbox, {
        KILLMAILD_FEEDS: "",
        KILLMAILD_FCM_ACCOUNT: sandbox.fcm.account()
      })
      return { url, sandbox, context }
    })
  )
}

/** Somebody with a device; `tell` tells them of a killmail, `status` is what becomes of it. */
const owner = Effect.gen(function*() {
  const { context, url } = yield* World
  const number = count++
  const device = `device-${number}`
  const browser = makeBrowser()
  yield* signInWith(browser, url, pilotOf("test", number).character)
  yield* browser.send("PUT", `${url}/api/v1/me/sessions/this`, { device_type: "android", push_token: device })
  const { json } = yield* browser.go(`${url}/api/v1/me`)
  const user_id = String(json["id"])
  const tell = (killmail_id: number, kind: NotificationKind = "killmail_matched") =>
    Notifications.use(({ add }) =>
      add([{
        user_id,
        character_id: null,
        kind,
        subject: String(killmail_id),
        data: { killmail_id, alert: "Home", ship_type_id: 1, solar_system_id: 2, total_value: 1.25e9 }
      }])
    ).pipe(Effect.provide(context))
  const becomes = (status: string) =>
    eventually(
      (sql) => sql<{ status: string }>`select status from notifications where user_id = ${user_id}::uuid`,
      (rows) => rows.length > 0 && rows.every((row) => row.status === status)
    ).pipe(Effect.provide(context))
  return { browser, device, user_id, tell, becomes }
})

const refuse = (status: number, errorCode: string, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify({ error: { code: status, message: "no", details: [{ errorCode }] } })
})

/** The next so many messages are answered so. */
const answerOnce = Effect.fnUntraced(function*(reply: Reply, times = 1) {
  const { sandbox } = yield* World
  let left = times
  sandbox.intercept(({ path }) => path.endsWith("messages:send") && left-- > 0 ? reply : undefined)
})

const sentTo = (sandbox: Sandbox, device: string) => sandbox.fcm.messages().filter(({ token }) => token === device)

layer(World.layer, { excludeTestServices: true, timeout: 60_000 })("a device", (it) => {
  it.effect("is told of what its user is told, once", () =>
    Effect.gen(function*() {
      const { sandbox } = yield* World
      const { becomes, device, tell } = yield* owner
      yield* tell(1)
      yield* tell(1)
      yield* becomes("sent")
      const messages = sentTo(sandbox, device)
      assert.strictEqual(messages.length, 1)
      assert.deepStrictEqual(messages[0]!.notification, { title: "Killmail", body: "Home: 1 in 2, 1.3bn ISK" })
      assert.include(JSON.parse(messages[0]!.data["facts"]!), { alert: "Home", killmail_id: 1 })
    }))

  it.effect("is forgotten once its app was removed", () =>
    Effect.gen(function*() {
      const { context, sandbox, url } = yield* World
      const { becomes, browser, device, tell } = yield* owner
      sandbox.fcm.unregister(device)
      yield* tell(1)
      yield* eventually(
        (sql) => sql`select from sessions where push_token = ${device}`,
        (rows) => rows.length === 0
      ).pipe(Effect.provide(context))
      yield* tell(2)
      yield* becomes("pending")
      const { json } = yield* browser.go(`${url}/api/v1/me/notifications/unread`)
      assert.strictEqual(json["unread"], 2)
      assert.deepStrictEqual(sentTo(sandbox, device), [])
    }))

  it.effect("is told with another access token where Google takes back the one there was", () =>
    Effect.gen(function*() {
      const { sandbox } = yield* World
      const { becomes, device, tell } = yield* owner
      yield* tell(1)
      yield* becomes("sent")
      sandbox.fcm.expireTokens()
      yield* tell(2)
      yield* becomes("sent")
      assert.strictEqual(sentTo(sandbox, device).length, 2)
    }))

  it.effect("is told later when Google wants a pause, which costs no attempt", () =>
    Effect.gen(function*() {
      const { context, sandbox } = yield* World
      const { becomes, device, tell } = yield* owner
      yield* answerOnce(refuse(429, "QUOTA_EXCEEDED", { "retry-after": "1" }))
      yield* tell(1)
      yield* becomes("sent")
      assert.strictEqual(sentTo(sandbox, device).length, 1)
      const runs = yield* SqlClient.SqlClient.use((sql) =>
        sql<{ status: string }>`
          select status from job_runs where task = 'deliver_push' and status = 'rescheduled'`
      ).pipe(Effect.provide(context))
      assert.isAbove(runs.length, 0)
    }))

  it.effect("is not told what Google refuses for good, which is a dead letter", () =>
    Effect.gen(function*() {
      const { context } = yield* World
      const { becomes, tell, user_id } = yield* owner
      yield* answerOnce(refuse(403, "PERMISSION_DENIED"), 3)
      yield* tell(1)
      yield* becomes("failed")
      const letters = yield* eventually(
        (sql) =>
          sql<{ reason: string; error: string }>`
            select reason, error
            from dead_letters join notifications on dead_letters.key like 'deliver_push:' || notifications.id || ':%'
            where user_id = ${user_id}::uuid`,
        (rows) => rows.length === 1
      ).pipe(Effect.provide(context))
      assert.deepStrictEqual(letters, [{ reason: "push_refused", error: "Google answered 403: PERMISSION_DENIED." }])
    }))

  it.effect("is told nothing against Google's rules", () =>
    Effect.gen(function*() {
      const { sandbox } = yield* World
      assert.deepStrictEqual(sandbox.violations(), [])
    }))
})
