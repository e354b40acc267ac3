import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { createHash } from "node:crypto"
import type { Reply } from "../../src/sandbox/Faults.ts"
import { pilotOf } from "../../src/sandbox/People.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { Notifications } from "../../src/store/Notifications.ts"
import { makeBrowser, signInWith } from "../support/Browser.ts"
import { otlpReceiver } from "../support/LocalServer.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { eventually, manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const [first, second, third] = [0, 1, 2].map((number) => pilotOf("test", number).character) as [number, number, number]

/** All that is written to standard error meanwhile. */
const heardLog = Effect.acquireRelease(
  Effect.sync(() => {
    const lines: Array<string> = []
    const write = process.stderr.write
    process.stderr.write = (chunk: string | Uint8Array) => {
      lines.push(String(chunk))
      return true
    }
    return { lines, restore: () => void (process.stderr.write = write) }
  }),
  ({ restore }) => Effect.sync(restore)
)

/** Every token that EVE's SSO gives away. */
const tokensOf = (sandbox: Sandbox) => {
  const tokens = new Set<string>()
  sandbox.intercept(({ path }) =>
    path !== "/v2/oauth/token" ? undefined : {
      alter: (body) => {
        const { access_token, refresh_token } = JSON.parse(body) as Record<string, string>
        for (const token of [access_token, refresh_token]) if (token !== undefined) tokens.add(token)
        return body
      }
    }
  )
  return tokens
}

/** Their addresses are the secrets that are sent there. */
const receivers: ReadonlySet<string> = new Set(["discord", "slack", "receiver"])

/** Every row of every table, the queue's, too, as text. */
const dump = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const tables = yield* sql<{ schema: string; name: string }>`
    select schemaname as schema, tablename as name from pg_tables
    where schemaname in ('public', 'graphile_worker')`
  const texts = yield* Effect.forEach(tables, ({ name, schema }) =>
    Effect.map(
      sql<{ text: string }>`select row_to_json(t)::text as text from ${sql(schema)}.${sql(name)} t`,
      (rows) => rows.map(({ text }) => `${name} ${text}`)
    ))
  return texts.flat().join("\n")
})

const sent = (count: number) =>
  eventually(
    (sql) => sql`select from notifications where status = 'sent'`,
    (rows) => rows.length === count
  )

describe("a secret", () => {
  it.live(
    "is in no table, job, log, trace, metric or address, whatever befell those who signed in",
    () =>
      Effect.gen(function*() {
        const log = yield* heardLog
        const traces = yield* otlpReceiver
        const sandbox = yield* manualSandbox({ speed: 100 })
        const tokens = tokensOf(sandbox)
        const { url: databaseUrl } = yield* migratedDatabase
        const key = Buffer.alloc(32, 7).toString("base64")
        const { context, stop, store, url } = yield* stoppableDaemon(databaseUrl, sandbox, {
          KILLMAILD_ENCRYPTION_KEYS: `1:${key}`,
          KILLMAILD_FEEDS: "",
          KILLMAILD_LOG_LEVEL: "debug",
          KILLMAILD_ACCESS_LOG: "on",
          KILLMAILD_SCHEDULE_SPEED: "100000",
          OTEL_EXPORTER_OTLP_ENDPOINT: traces.url
        })

        const secrets = new Set<string>()
        const browser = makeBrowser()
        yield* signInWith(browser, url, first)
        yield* signInWith(browser, url, second, "?add=true")
        for (const value of browser.cookies.values()) secrets.add(value)
        yield* browser.send("POST", `${url}/api/v1/auth/renew`)
        for (const value of browser.cookies.values()) secrets.add(value)
        yield* browser.send("POST", `${url}/api/v1/auth/tokens`, { refresh_token: "kmr_unknown" })

        // Jobs renew what was not renewed for a day, which is a second here, while the SSO errs.
        let refusals = 3
        sandbox.intercept(({ body, path }) =>
          path === "/v2/oauth/token" && body.includes("refresh_token") && refusals-- > 0
            ? { status: 502, body: "<html></html>" }
            : undefined
        )
        const { refreshed, runs } = yield* eventually(
          (sql) =>
            Effect.map(
              sql<{ refreshed: number; runs: number }>`
              select count(*) filter (where status = 'completed')::int as refreshed, count(*)::int as runs
              from job_runs where task = 'refresh_token'`,
              ([row]) => row!
            ),
          (row) => row.refreshed >= 3 && row.runs > row.refreshed
        ).pipe(Effect.provide(context))
        assert.isAbove(runs, refreshed)
        sandbox.sso.revokeAll(second)
        yield* eventually(
          (sql) => sql`select from user_characters where dropped_because = 'invalid_grant'`,
          (rows) => rows.length === 1
        ).pipe(Effect.provide(context))

        // Of three webhooks one is told, one's receiver refuses what it is told, and one has nobody any more.
        const kinds = { discord: "discord", receiver: "json", slack: "slack" } as const
        for (const kind of ["discord", "receiver", "slack"] as const) {
          const address = sandbox.inboxes.make(kind)
          const wanted = { name: kind, format: kinds[kind], url: address }
          const made = yield* browser.send("POST", `${url}/api/v1/me/webhooks`, wanted)
          assert.strictEqual(made.status, 201, made.text)
          secrets.add(address.slice(address.lastIndexOf("/") + 1))
          if (kind === "receiver") secrets.add(String(made.json["secret"]))
          if (kind === "slack") sandbox.inboxes.remove(address)
        }
        sandbox.intercept(({ upstream }) =>
          upstream === "receiver" ? { status: 302, headers: { location: "/" } } : undefined
        )
        yield* store([killmailOf("test", 0).killmail])
        yield* eventually(
          (sql) => sql<{ status: string }>`select status from webhook_deliveries where status <> 'waiting'`,
          (rows) => rows.length === 3
        ).pipe(Effect.provide(context))
        yield* browser.go(`${url}/api/v1/me/export`)
        const other = makeBrowser()
        yield* signInWith(other, url, third)
        yield* other.send("DELETE", `${url}/api/v1/me`)

        for (const secret of [...tokens, key]) secrets.add(secret)
        assert.isAbove(secrets.size, 12)
        const metrics = yield* Effect.promise(async () => (await fetch(`${url}/metrics`)).text())
        const tables = yield* Effect.provide(dump, context)
        yield* stop
        const places = {
          tables,
          log: log.lines.join(""),
          traces: traces.bodies.join(""),
          metrics,
          addresses: sandbox.requests().filter(({ upstream }) => !receivers.has(upstream)).map(({ path }) => path).join(
            "\n"
          )
        }
        assert.include(places.tables, "refresh_token:")
        assert.include(places.tables, "webhook_refused")
        assert.include(places.log, "/api/v1/auth/renew")
        assert.isAbove(places.traces.length, 1000)
        for (const secret of secrets) {
          const forms = [secret, Buffer.from(secret).toString("hex"), Buffer.from(secret).toString("base64")]
          for (const [place, text] of Object.entries(places)) {
            for (const form of forms) assert.isFalse(text.includes(form), `${form.slice(0, 12)}… is in ${place}`)
          }
        }
        // What the hash of a session's token is, is known; it proves nothing to us.
        const hash = createHash("sha256").update(browser.cookies.get("killmaild-session")!).digest("hex")
        assert.include(places.tables, hash)
        assert.notInclude(places.log, "code=")
        // With such a schedule ESI is asked again too soon.
        assert.deepStrictEqual(sandbox.violations().filter(({ upstream }) => upstream !== "esi"), [])
      }),
    120_000
  )

  it.live(
    "of a device is in the table of sessions alone, and Google's are nowhere, whatever Google answers",
    () =>
      Effect.gen(function*() {
        const log = yield* heardLog
        const traces = yield* otlpReceiver
        const sandbox = yield* manualSandbox({ speed: 1 })
        const account = sandbox.fcm.account()
        const { url: databaseUrl } = yield* migratedDatabase
        const { context, stop, url } = yield* stoppableDaemon(databaseUrl, sandbox, {
          KILLMAILD_FCM_ACCOUNT: account,
          KILLMAILD_FEEDS: "",
          KILLMAILD_LOG_LEVEL: "debug",
          OTEL_EXPORTER_OTLP_ENDPOINT: traces.url
        })
        const given = new Set<string>()
        const answers: Array<Reply> = [
          {
            status: 400,
            headers: { "content-type": "application/json" },
            body: `{"error":{"message":"device-canary"}}`
          },
          { status: 403, body: "<html>device-canary</html>" },
          { status: 503, headers: { "retry-after": "0" }, body: "device-canary" }
        ]
        sandbox.intercept(({ body, path }) => {
          if (path === "/token") {
            given.add(new URLSearchParams(body).get("assertion")!)
            return {
              alter: (answer) => {
                given.add((JSON.parse(answer) as { readonly access_token: string }).access_token)
                return answer
              }
            }
          }
          return path.endsWith("messages:send") ? answers.shift() : undefined
        })

        const browser = makeBrowser()
        yield* signInWith(browser, url, first)
        const device = { device_type: "ios", push_token: "device-canary" }
        yield* browser.send("PUT", `${url}/api/v1/me/sessions/this`, device)
        const user_id = String((yield* browser.go(`${url}/api/v1/me`)).json["id"])
        const tell = (subject: string) =>
          Notifications.use(({ add }) =>
            add([{ user_id, character_id: null, kind: "killmail_matched", subject, data: { alert: "Home" } }])
          )
        yield* Effect.andThen(tell("1"), sent(1)).pipe(Effect.provide(context))
        sandbox.fcm.expireTokens()
        yield* Effect.andThen(tell("2"), sent(2)).pipe(Effect.provide(context))
        yield* browser.go(`${url}/api/v1/me/export`)

        const metrics = yield* Effect.promise(async () => (await fetch(`${url}/metrics`)).text())
        const tables = yield* Effect.provide(dump, context)
        yield* stop
        const lines = tables.split("\n")
        const places = {
          tables: lines.filter((line) => !line.startsWith("sessions ")).join("\n"),
          log: log.lines.join(""),
          traces: traces.bodies.join(""),
          metrics,
          addresses: sandbox.requests().map(({ path }) => path).join("\n")
        }
        assert.isAtLeast(given.size, 4)
        assert.include(places.tables, "deliver_push:")
        assert.isAbove(lines.filter((line) => line.includes("device-canary")).length, 0)
        const { private_key } = JSON.parse(account) as { readonly private_key: string }
        const key = private_key.split("\n")[1]!
        for (const secret of ["device-canary", key, ...given]) {
          for (const [place, text] of Object.entries(places)) {
            assert.isFalse(text.includes(secret), `${secret.slice(0, 12)}… is in ${place}`)
          }
        }
        assert.deepStrictEqual(sandbox.violations(), [])
      }),
    120_000
  )
})
