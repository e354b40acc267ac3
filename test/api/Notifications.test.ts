import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { pilotOf } from "../../src/sandbox/People.ts"
import { type News, Notifications } from "../../src/store/Notifications.ts"
import { type Browser, makeBrowser, type Page, signInWith } from "../support/Browser.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

/** Each test has pilots of its own. */
let count = 0
const nextPilot = () => pilotOf("test", count++).character

class Daemon extends Context.Service<Daemon, {
  readonly url: string
  readonly sql: SqlClient.SqlClient
  readonly notifications: Notifications["Service"]
}>()("killmaild/test/Daemon") {
  static readonly layer = Layer.effect(
    Daemon,
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox({ speed: 1 })
      const { url: databaseUrl } = yield* migratedDatabase
      const { context, url } = yield* stoppableDaemon(databaseUrl, sandbox, { KILLMAILD_FEEDS: "" })
      return {
        url,
        sql: Context.get(context, SqlClient.SqlClient),
        notifications: Context.get(context, Notifications)
      }
    })
  )
}

const signedIn = Effect.gen(function*() {
  const { url } = yield* Daemon
  const browser = makeBrowser()
  const pilot = nextPilot()
  yield* signInWith(browser, url, pilot)
  const { json } = yield* browser.go(`${url}/api/v1/me`)
  return { browser, pilot, userId: String(json["id"]), me: `${url}/api/v1/me` }
})

const assertProblem = ({ json, text }: Page, status: number, detail: RegExp) => {
  assert.strictEqual(json["status"], status, text)
  assert.match(String(json["detail"]), detail)
}

const rows = ({ json, text }: Page) => {
  assert.isArray(json["data"], text)
  return json["data"] as ReadonlyArray<Readonly<Record<string, unknown>>>
}

const killed = (user_id: string, id: number): News => ({
  user_id,
  character_id: null,
  kind: "killmail_matched",
  subject: String(id),
  data: { killmail_id: id }
})

const unread = (browser: Browser, me: string) =>
  Effect.map(browser.go(`${me}/notifications/unread`), ({ json }) => json["unread"])

layer(Daemon.layer, { excludeTestServices: true, timeout: 60_000 })("whoever signed in", (it) => {
  it.effect("changes one setting and leaves the others", () =>
    Effect.gen(function*() {
      const { browser, me, pilot } = yield* signedIn
      const before = (yield* browser.go(`${me}/settings`)).json
      assert.strictEqual(before["theme"], "system")
      const { json } = yield* browser.send("PATCH", `${me}/settings`, { theme: "dark", default_character_id: pilot })
      assert.deepStrictEqual(json, { ...before, theme: "dark", default_character_id: pilot })
      const none = yield* browser.send("PATCH", `${me}/settings`, { default_character_id: null })
      assert.deepStrictEqual(none.json, { ...before, theme: "dark" })
      assert.deepStrictEqual((yield* browser.go(`${me}/settings`)).json, none.json)
    }))

  it.effect("is told by name which setting there is not, or cannot be so", () =>
    Effect.gen(function*() {
      const { browser, me } = yield* signedIn
      const other = yield* signedIn
      const change = (body: unknown) => browser.send("PATCH", `${me}/settings`, body)
      assertProblem(yield* change({ colour: "red" }), 400, /^colour: there is no such field\.$/)
      assertProblem(yield* change({ theme: "red" }), 400, /^theme: expected "system" \| "light" \| "dark"\.$/)
      assertProblem(yield* change({ notify_mail: "yes" }), 400, /^notify_mail: /)
      const foreign = yield* change({ default_character_id: other.pilot })
      assertProblem(foreign, 400, /^default_character_id: got \d+, wants one of your own/)
      assert.strictEqual((yield* makeBrowser().go(`${me}/settings`)).status, 401)
    }))

  it.effect("sees the subscription that a host filled in, which the database checks", () =>
    Effect.gen(function*() {
      const { sql } = yield* Daemon
      const { browser, me, userId } = yield* signedIn
      const fill = (status: string) =>
        sql`
          update users
          set tier = 'premium', subscription_status = ${status}, subscription_ends_at = '2027-01-01T00:00:00Z'
          where id = ${userId}::uuid`
      yield* fill("active")
      const { json } = yield* browser.go(me)
      assert.include(json, {
        tier: "premium",
        subscription_status: "active",
        subscription_ends_at: "2027-01-01T00:00:00.000Z"
      })
      yield* Effect.flip(fill("eternal"))
    }))

  it.effect("reads notifications page by page, and marks one or all of them", () =>
    Effect.gen(function*() {
      const { notifications } = yield* Daemon
      const { browser, me, userId } = yield* signedIn
      yield* notifications.add([1, 2, 3].map((id) => killed(userId, id)))
      const first = yield* browser.go(`${me}/notifications?limit=2`)
      const second = yield* browser.go(`${me}/notifications?limit=2&cursor=${first.json["next_cursor"]}`)
      const ids = [...rows(first), ...rows(second)].map(({ data }) => (data as { killmail_id: number }).killmail_id)
      assert.deepStrictEqual(ids, [3, 2, 1])
      assert.isNull(second.json["next_cursor"])

      const { status } = yield* browser.send("POST", `${me}/notifications/${rows(first)[0]!["id"]}/read`)
      assert.strictEqual(status, 204)
      assert.strictEqual(yield* unread(browser, me), 2)
      assert.strictEqual(rows(yield* browser.go(`${me}/notifications?status=pending,sent`)).length, 2)
      assert.strictEqual(rows(yield* browser.go(`${me}/notifications?status=read`)).length, 1)
      yield* browser.send("POST", `${me}/notifications/read`)
      assert.strictEqual(yield* unread(browser, me), 0)
      assertProblem(yield* browser.go(`${me}/notifications?status=old`), 400, /^status: /)
      assertProblem(yield* browser.go(`${me}/notifications?cursor=1`), 400, /^cursor: /)
    }))

  it.effect("cannot read or mark what another one is told", () =>
    Effect.gen(function*() {
      const { notifications } = yield* Daemon
      const owner = yield* signedIn
      const other = yield* signedIn
      yield* notifications.add([killed(owner.userId, 1)])
      const [row] = rows(yield* owner.browser.go(`${owner.me}/notifications`))
      assert.deepStrictEqual(rows(yield* other.browser.go(`${other.me}/notifications`)), [])
      const marked = yield* other.browser.send("POST", `${other.me}/notifications/${row!["id"]}/read`)
      assertProblem(marked, 404, /no such notification/)
      yield* other.browser.send("POST", `${other.me}/notifications/read`)
      assert.strictEqual(yield* unread(owner.browser, owner.me), 1)
    }))

  it.effect("makes, changes and removes alerts of killmails, whose filter is that of every interface", () =>
    Effect.gen(function*() {
      const { browser, me } = yield* signedIn
      const other = yield* signedIn
      const wanted = { name: "Home", filter: { system: 30_000_142, min_value: 1e9 } }
      const { json } = yield* browser.send("POST", `${me}/alerts`, wanted)
      assert.deepStrictEqual(json["filter"], { system: [30_000_142], min_value: 1e9 })
      assert.isTrue(json["is_enabled"])
      const alert = `${me}/alerts/${json["id"]}`
      assertProblem(yield* other.browser.send("PATCH", alert, { name: "Mine" }), 404, /no such alert/)
      assertProblem(yield* other.browser.send("DELETE", alert), 404, /no such alert/)
      assertProblem(yield* browser.send("PATCH", alert, { filter: { systm: 1 } }), 400, /no filter "systm"/)
      assertProblem(yield* browser.send("POST", `${me}/alerts`, { name: "", filter: {} }), 400, /^name: /)
      const changed = yield* browser.send("PATCH", alert, { is_enabled: false })
      assert.deepStrictEqual(changed.json, { ...json, is_enabled: false })
      assert.deepStrictEqual(rows(yield* browser.go(`${me}/alerts`)), [changed.json])
      const exported = yield* browser.go(`${me}/export`)
      assert.deepStrictEqual(exported.json["alerts"], [changed.json])
      assert.strictEqual((yield* browser.send("DELETE", alert)).status, 204)
      assert.deepStrictEqual(rows(yield* browser.go(`${me}/alerts`)), [])
    }))

  it.effect("leaves with all of it", () =>
    Effect.gen(function*() {
      const { notifications, sql } = yield* Daemon
      const { browser, me, userId } = yield* signedIn
      yield* notifications.add([killed(userId, 1)])
      yield* browser.send("POST", `${me}/alerts`, { name: "All", filter: {} })
      assert.strictEqual((yield* browser.send("DELETE", me)).status, 200)
      const [left] = yield* sql<{ rows: number }>`
        select (select count(*) from notifications where user_id = ${userId}::uuid)::int
          + (select count(*) from killmail_alerts where user_id = ${userId}::uuid)::int as rows`
      assert.strictEqual(left!.rows, 0)
    }))
})
