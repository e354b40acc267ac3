import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { pilotOf } from "../../src/sandbox/People.ts"
import { makeBrowser, signInWith } from "../support/Browser.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { eventually, manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const [pilot, other] = [0, 1].map((number) => pilotOf("test", number).character) as [number, number]

/** Of New Eden, and of our own schedule. */
const worldAt = Effect.fnUntraced(function*(speed: number, scheduleSpeed: number) {
  const sandbox = yield* manualSandbox({ speed })
  const { url: databaseUrl } = yield* migratedDatabase
  const daemon = yield* stoppableDaemon(databaseUrl, sandbox, {
    KILLMAILD_FEEDS: "",
    KILLMAILD_SCHEDULE_SPEED: String(scheduleSpeed)
  })
  return { sandbox, ...daemon }
})

/** An hour is 9 seconds. */
const world = worldAt(400, 400)

const told = (sql: SqlClient.SqlClient) =>
  Effect.map(
    sql<{ change: string }>`select distinct change from character_changes`,
    (rows) => new Set(rows.map(({ change }) => change))
  )

const wanted = [
  "skill_done",
  "mail_received",
  "order_placed",
  "order_partly_filled",
  "order_filled",
  "order_cancelled",
  "order_expired",
  "job_started",
  "job_done",
  "job_delivered",
  "extractor_finished"
]

describe("what ESI tells of a pilot's character", () => {
  it.live(
    "is kept as it changes, within every limit and cache, and told once",
    () =>
      Effect.gen(function*() {
        const { context, sandbox, url } = yield* world
        const browser = makeBrowser()
        yield* signInWith(browser, url, pilot)
        yield* signInWith(makeBrowser(), url, other)
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* eventually(told, (changes) => wanted.every((change) => changes.has(change)), 120_000)
          const twice = yield* sql`
            select kind, subject from notifications group by user_id, kind, subject having count(*) > 1`
          assert.deepStrictEqual(twice, [])
          const [counts] = yield* sql<{ untold: number; failed: number }>`
            select
              (
                select count(*)
                from character_changes
                  left join notifications on change = notifications.kind
                    and notifications.subject = character_changes.character_id || ':' || character_changes.subject
                where notifications.id is null
                  and change in ('skill_done', 'mail_received', 'order_filled', 'order_expired', 'job_done', 'extractor_finished')
              )::int as untold,
              (select count(*) from dead_letters)::int as failed`
          assert.deepStrictEqual(counts, { untold: 0, failed: 0 })
        }).pipe(Effect.provide(context))

        const own = `${url}/api/v1/me/characters/${pilot}`
        for (const kind of ["skills", "mail", "orders", "industry", "planets"]) {
          const { headers, json, text } = yield* browser.go(`${own}/${kind}`)
          assert.isObject(json["data"], text)
          const again = yield* browser.go(`${own}/${kind}`, { headers: { "if-none-match": headers.get("etag")! } })
          if (again.headers.get("etag") === headers.get("etag")) assert.strictEqual(again.status, 304)
          assert.strictEqual((yield* browser.go(`${url}/api/v1/me/characters/${other}/${kind}`)).status, 404)
          assert.strictEqual((yield* makeBrowser().go(`${own}/${kind}`)).status, 401)
        }
        const first = yield* browser.go(`${own}/changes?kind=orders&limit=2`)
        const second = yield* browser.go(`${own}/changes?kind=orders&limit=2&cursor=${first.json["next_cursor"]}`)
        const listed = [first, second].flatMap(({ json }) =>
          json["data"] as ReadonlyArray<{ id: number; kind: string }>
        )
        assert.deepStrictEqual(listed.map(({ kind }) => kind), ["orders", "orders", "orders", "orders"])
        assert.deepStrictEqual(listed.map(({ id }) => id), listed.map(({ id }) => id).toSorted((a, b) => b - a))
        assert.strictEqual((yield* browser.go(`${url}/api/v1/me/characters/${other}/changes`)).status, 404)
        const exported = (yield* browser.go(`${url}/api/v1/me/export`)).json["character_data"]
        assert.strictEqual((exported as ReadonlyArray<unknown>).length, 5)

        assert.deepStrictEqual(sandbox.violations(), [])
        const statuses = new Set(
          sandbox.requests().filter(({ upstream }) => upstream === "esi").map(({ status }) => status)
        )
        assert.isTrue(statuses.has(304))
      }),
    180_000
  )

  it.live(
    "is asked for with another token where one is refused, and no more once the pilot takes back the grant",
    () =>
      Effect.gen(function*() {
        const { context, sandbox, url } = yield* world
        let refused = 0
        sandbox.intercept(({ path }) =>
          path.endsWith("/skills") && refused++ === 0
            ? { status: 401, headers: { "content-type": "application/json" }, body: `{"error":"token is not valid"}` }
            : undefined
        )
        yield* signInWith(makeBrowser(), url, other)
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* eventually(told, (changes) => changes.has("skill_done"))
          sandbox.sso.revokeAll(other)
          yield* sql`update user_tokens set renew_at = now()`
          yield* eventually(
            (sql) => sql`select from user_characters where dropped_because = 'invalid_grant'`,
            (rows) => rows.length === 1
          )
          assert.deepStrictEqual(yield* sql`select from dead_letters`, [])
        }).pipe(Effect.provide(context))
        assert.deepStrictEqual(sandbox.violations(), [])
      }),
    120_000
  )

  it.live("is not asked for again when what was asked after it failed", () =>
    Effect.gen(function*() {
      const { context, sandbox, url } = yield* worldAt(1, 30)
      let failures = 0
      sandbox.intercept(({ path }) =>
        path.endsWith("/orders/history") && failures++ < 3 ? { status: 503, body: "" } : undefined
      )
      yield* signInWith(makeBrowser(), url, pilot)
      yield* eventually(
        (sql) => sql`select from character_data where kind = 'orders' and synced_at is not null`,
        (rows) => rows.length === 1
      ).pipe(Effect.provide(context))
      const asked = sandbox.requests().filter(({ path }) => /\/orders(\/history)?$/.test(path))
      assert.deepStrictEqual(
        asked.map(({ path, status }) => `${path.split("/").at(-1)} ${status}`),
        ["orders 200", "history 503", "history 503", "history 503", "history 200"]
      )
    }), 120_000)
})
