import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { createHash } from "node:crypto"
import { pilotOf } from "../../src/sandbox/People.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import * as Database from "../../src/store/Database.ts"
import { type Browser, chooseOn, makeBrowser, type Page, signInWith } from "../support/Browser.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

/** Each test has pilots of its own. */
let count = 0
const nextPilot = () => pilotOf("test", count++).character

class Daemon extends Context.Service<Daemon, {
  readonly url: string
  readonly sandbox: Sandbox
  readonly sql: SqlClient.SqlClient
}>()("killmaild/test/Daemon") {
  static readonly layer = Layer.effect(
    Daemon,
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox({ speed: 1 })
      const { url: databaseUrl } = yield* migratedDatabase
      const { context, url } = yield* stoppableDaemon(databaseUrl, sandbox, { KILLMAILD_FEEDS: "" })
      return { url, sandbox, sql: Context.get(context, SqlClient.SqlClient) }
    })
  )
}

const signedIn = Effect.fnUntraced(function*(pilot = nextPilot()) {
  const { url } = yield* Daemon
  const browser = makeBrowser()
  const page = yield* signInWith(browser, url, pilot)
  assert.strictEqual(page.status, 302, page.text)
  return { browser, pilot, page }
})

const me = Effect.fnUntraced(function*(browser: Browser) {
  const { url } = yield* Daemon
  return yield* browser.go(`${url}/api/v1/me`)
})

const assertProblem = ({ headers, json, text }: Page, status: number, detail: RegExp) => {
  assert.strictEqual(json["status"], status, text)
  assert.match(String(json["detail"]), detail)
  assert.match(headers.get("content-type") ?? "", /^application\/problem\+json/)
}

const charactersIn = ({ json }: Page) => (json["characters"] as ReadonlyArray<{ character_id: number }>)

const ids = (page: Page) => charactersIn(page).map(({ character_id }) => character_id)

/** As an app does it that waits on the pilot's machine. */
const signInApp = Effect.fnUntraced(function*(pilot: number, more: Readonly<Record<string, string>> = {}) {
  const { url } = yield* Daemon
  const verifier = "an-app-that-keeps-its-verifier-to-itself-until-the-end"
  const query = new URLSearchParams({
    app_redirect: "http://127.0.0.1:9/done",
    state: "of the app",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    ...more
  })
  const browser = makeBrowser()
  const page = yield* signInWith(browser, url, pilot, `?${query}`)
  return { browser, page, verifier }
})

const bearer = (token: unknown) => ({ headers: { authorization: `Bearer ${token}` } })

const exchange = Effect.fnUntraced(function*(body: unknown) {
  const { url } = yield* Daemon
  return yield* makeBrowser().send("POST", `${url}/api/v1/auth/tokens`, body, "app://")
})

layer(Daemon.layer, { excludeTestServices: true, timeout: 60_000 })("whoever signs in", (it) => {
  it.effect("comes back with cookies that no script can read, and is shown to themselves alone", () =>
    Effect.gen(function*() {
      const { browser, page, pilot } = yield* signedIn()
      assert.strictEqual(page.location?.pathname, "/api/v1/me")
      assert.sameMembers([...browser.cookies.keys()], ["killmaild-session", "killmaild-renewal"])
      for (const name of browser.cookies.keys()) assert.match(browser.attributes.get(name)!, /HttpOnly/i)
      assert.match(browser.attributes.get("killmaild-session")!, /SameSite=Lax/i)
      assert.match(browser.attributes.get("killmaild-renewal")!, /SameSite=Strict/i)

      const own = yield* me(browser)
      assert.strictEqual(own.status, 200)
      assert.strictEqual(own.headers.get("cache-control"), "no-store")
      assert.deepInclude(own.json, { tier: "free", email: null })
      assert.deepStrictEqual(ids(own), [pilot])
      assert.include(own.text, "esi-killmails.read_killmails.v1")
      const { url } = yield* Daemon
      assertProblem(yield* makeBrowser().go(`${url}/api/v1/me`), 401, /sign in at/)
    }))

  it.effect("adds characters, and is the same user with any of them", () =>
    Effect.gen(function*() {
      const { url } = yield* Daemon
      const { browser, pilot } = yield* signedIn()
      const second = nextPilot()
      const session = browser.cookies.get("killmaild-session")
      assert.strictEqual((yield* signInWith(browser, url, second, "?add=true")).status, 302)
      assert.strictEqual(browser.cookies.get("killmaild-session"), session)
      assert.deepStrictEqual(ids(yield* me(browser)), [pilot, second])
      const { browser: elsewhere } = yield* signedIn(second)
      assert.deepStrictEqual(ids(yield* me(elsewhere)), [pilot, second])
      assertProblem(yield* makeBrowser().go(`${url}/api/v1/auth/sign-in?add=true`), 401, /signed in/)

      const { browser: other } = yield* signedIn()
      assertProblem(yield* signInWith(other, url, second, "?add=true"), 409, /another account here/)
    }))

  it.effect("loses a character that was sold to who bought it, with all that was known for it", () =>
    Effect.gen(function*() {
      const { sandbox, sql, url } = yield* Daemon
      const { browser, pilot } = yield* signedIn()
      const kept = nextPilot()
      yield* signInWith(browser, url, kept, "?add=true")
      sandbox.sso.transfer(pilot)
      const { browser: buyer } = yield* signedIn(pilot)
      assert.deepStrictEqual(ids(yield* me(browser)), [kept])
      assert.deepStrictEqual(ids(yield* me(buyer)), [pilot])
      // Sold with nothing else left, the seller is nobody here any more.
      sandbox.sso.transfer(pilot)
      yield* signedIn(pilot)
      assert.strictEqual((yield* me(buyer)).status, 401)
      assert.strictEqual((yield* sql`select from user_characters where character_id = ${BigInt(pilot)}`).length, 1)
    }))

  it.effect("is refused with a state that is replayed, foreign, unknown or missing", () =>
    Effect.gen(function*() {
      const { url } = yield* Daemon
      const refusal = /^state: is not of a sign-in that this browser began/
      const { browser, page } = yield* Effect.gen(function*() {
        const browser = makeBrowser()
        const page = yield* browser.go(`${url}/api/v1/auth/sign-in`)
        return { browser, page }
      })
      const back = yield* chooseOn(page, nextPilot())
      assertProblem(yield* makeBrowser().go(back), 400, refusal)
      const another = makeBrowser()
      yield* another.go(`${url}/api/v1/auth/sign-in`)
      assertProblem(yield* another.go(back), 400, refusal)
      const secret = browser.cookies.get("killmaild-sign-in")!
      assert.strictEqual((yield* browser.go(back)).status, 302)
      browser.cookies.set("killmaild-sign-in", secret)
      assertProblem(yield* browser.go(back), 400, refusal)
      for (const query of ["", "?code=x", "?state=x&code=x"]) {
        assertProblem(yield* browser.go(`${url}/api/v1/auth/callback${query}`), 400, refusal)
      }
    }))

  it.effect("is told when EVE's SSO was left without a yes or a code, and when it is away", () =>
    Effect.gen(function*() {
      const { sandbox, url } = yield* Daemon
      const begun = (browser: Browser) => browser.go(`${url}/api/v1/auth/sign-in`)
      const browser = makeBrowser()
      assertProblem(yield* browser.go(yield* chooseOn(yield* begun(browser), "none")), 400, /cancelled/)
      for (const codes of [[], ["one", "two"]]) {
        const answer = yield* chooseOn(yield* begun(browser), nextPilot())
        answer.searchParams.delete("code")
        for (const code of codes) answer.searchParams.append("code", code)
        assertProblem(yield* browser.go(answer), 400, /^code: wants one/)
      }
      const back = yield* chooseOn(yield* begun(browser), nextPilot())
      let isAway = true
      sandbox.intercept(({ path, upstream }) =>
        isAway && upstream === "sso" && path.endsWith("/token") ? { status: 502, body: "<html>" } : undefined
      )
      assertProblem(yield* browser.go(back), 503, /EVE's SSO cannot be used/)
      isAway = false
      assert.isFalse(browser.cookies.has("killmaild-session"))
    }))

  it.effect("is sent back to a page of ours, and to nobody else's", () =>
    Effect.gen(function*() {
      const { url } = yield* Daemon
      const endsAt = (returnTo: string) =>
        Effect.map(
          signInWith(makeBrowser(), url, 2_112_000_777, `?return_to=${encodeURIComponent(returnTo)}`),
          ({ location }) => location?.href
        )
      assert.strictEqual(yield* endsAt("/board?tab=1#top"), `${url}/board?tab=1#top`)
      for (const path of ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "board"]) {
        assert.strictEqual(yield* endsAt(path), `${url}/api/v1/me`, path)
      }
    }))

  it.effect("gets another session each time: one that was planted before is not theirs", () =>
    Effect.gen(function*() {
      const { browser: attacker } = yield* signedIn()
      const planted = new Map(attacker.cookies)
      const { url } = yield* Daemon
      const victim = makeBrowser()
      for (const [name, value] of planted) victim.cookies.set(name, value)
      const pilot = nextPilot()
      yield* signInWith(victim, url, pilot)
      assert.notStrictEqual(victim.cookies.get("killmaild-session"), planted.get("killmaild-session"))
      assert.deepStrictEqual(ids(yield* me(victim)), [pilot])
      assert.notInclude(ids(yield* me(attacker)), pilot)
    }))
})

layer(Daemon.layer, { excludeTestServices: true, timeout: 60_000 })("a session", (it) => {
  it.effect("is renewed with other tokens; the old ones are good no more, and a second use ends it", () =>
    Effect.gen(function*() {
      const { url } = yield* Daemon
      const { browser } = yield* signedIn()
      const before = new Map(browser.cookies)
      assert.strictEqual((yield* browser.send("POST", `${url}/api/v1/auth/renew`)).status, 204)
      assert.notStrictEqual(browser.cookies.get("killmaild-session"), before.get("killmaild-session"))
      assert.strictEqual((yield* me(browser)).status, 200)
      const thief = makeBrowser()
      for (const [name, value] of before) thief.cookies.set(name, value)
      assert.strictEqual((yield* me(thief)).status, 401)
      assertProblem(yield* thief.send("POST", `${url}/api/v1/auth/renew`), 401, /used before/)
      assert.strictEqual((yield* me(browser)).status, 401)
      assertProblem(yield* browser.send("POST", `${url}/api/v1/auth/renew`), 401, /unknown or too old/)
    }))

  it.effect("is listed to its user, described, and ended by them: one, or all", () =>
    Effect.gen(function*() {
      const { url } = yield* Daemon
      const { browser, pilot } = yield* signedIn()
      const { browser: phone } = yield* signedIn(pilot)
      const described = yield* phone.send("PUT", `${url}/api/v1/me/sessions/this`, {
        device_type: "android",
        push_token: "token:of-the-phone"
      })
      assert.strictEqual(described.status, 204)
      for (const push_token of ["", "two words", "a\0b"]) {
        const refused = yield* phone.send("PUT", `${url}/api/v1/me/sessions/this`, { push_token })
        assertProblem(refused, 400, /^push_token: expected 1 to 4096 characters/)
      }
      const listed = yield* browser.go(`${url}/api/v1/me/sessions`)
      const sessions = listed.json["data"] as ReadonlyArray<{ id: string; device_type: string; is_this: boolean }>
      assert.sameMembers(sessions.map(({ device_type }) => device_type), ["browser", "android"])
      assert.notInclude(listed.text, "token:of-the-phone")
      const other = sessions.find(({ is_this }) => !is_this)!
      assert.strictEqual((yield* browser.send("DELETE", `${url}/api/v1/me/sessions/${other.id}`)).status, 204)
      assert.strictEqual((yield* me(phone)).status, 401)
      assertProblem(yield* browser.send("DELETE", `${url}/api/v1/me/sessions/${other.id}`), 404, /no such session/)
      assert.strictEqual((yield* browser.send("DELETE", `${url}/api/v1/me/sessions`)).status, 204)
      assert.strictEqual(browser.cookies.size, 0)
    }))

  it.effect("lets its user name a killmail that no feed told of", () =>
    Effect.gen(function*() {
      const { url } = yield* Daemon
      const { browser } = yield* signedIn()
      const named = { killmail_id: 81_646_519, hash: "8f1450fca8ce97be9b10e106a1257088407ef387" }
      assert.strictEqual((yield* browser.send("POST", `${url}/api/v1/killmails`, named)).status, 202)
      assert.strictEqual((yield* makeBrowser().send("POST", `${url}/api/v1/killmails`, named)).status, 401)
      assertProblem(yield* browser.send("POST", `${url}/api/v1/killmails`, { url: 5 }), 400, /^url: expected string\.$/)
      const lured = yield* browser.send("POST", `${url}/api/v1/killmails`, named, "https://evil.example")
      assert.strictEqual(lured.status, 403)
    }))

  it.effect("is nobody else's to see or to end", () =>
    Effect.gen(function*() {
      const { url } = yield* Daemon
      const { browser: own, pilot } = yield* signedIn()
      const { browser: other } = yield* signedIn()
      const [session] = (yield* own.go(`${url}/api/v1/me/sessions`)).json["data"] as ReadonlyArray<{ id: string }>
      assert.strictEqual((yield* other.send("DELETE", `${url}/api/v1/me/sessions/${session!.id}`)).status, 404)
      assert.strictEqual((yield* other.send("DELETE", `${url}/api/v1/me/characters/${pilot}`)).status, 404)
      assert.notInclude((yield* other.go(`${url}/api/v1/me/export`)).text, String(pilot))
      assert.strictEqual((yield* me(own)).status, 200)
    }))

  it.effect("in a cookie changes things from our own pages alone", () =>
    Effect.gen(function*() {
      const { url } = yield* Daemon
      const { browser } = yield* signedIn()
      const attempts: ReadonlyArray<readonly [Record<string, string>, number]> = [
        [{ "sec-fetch-site": "cross-site", origin: "https://evil.example" }, 403],
        [{ "sec-fetch-site": "same-site", origin: url }, 403],
        [{ "sec-fetch-site": "none" }, 403],
        [{ origin: "https://evil.example" }, 403],
        [{ origin: "null" }, 403],
        [{}, 403],
        [{ origin: url }, 204],
        [{ "sec-fetch-site": "same-origin" }, 204]
      ]
      for (const path of ["/api/v1/me/sessions/this", "/api/v1/auth/renew"]) {
        for (const [headers, status] of attempts) {
          const isPut = path.endsWith("this")
          const page = yield* browser.go(url + path, {
            method: isPut ? "PUT" : "POST",
            headers: { ...headers, ...(isPut ? { "content-type": "application/json" } : {}) },
            ...(isPut ? { body: "{}" } : {})
          })
          assert.strictEqual(page.status, status, `${path} ${JSON.stringify(headers)}`)
          assert.isFalse(page.headers.has("access-control-allow-credentials"))
        }
      }
      // Reading is harmless, as no other page is shown what comes.
      const read = yield* browser.go(`${url}/api/v1/me`, { headers: { origin: "https://evil.example" } })
      assert.isFalse(read.headers.has("access-control-allow-origin"))
    }))

  it.effect("of an app begins with a code and the proof that it is the one, once", () =>
    Effect.gen(function*() {
      const { url } = yield* Daemon
      const pilot = nextPilot()
      const { browser, page, verifier } = yield* signInApp(pilot)
      assert.strictEqual(browser.cookies.size, 0)
      assert.strictEqual(`${page.location?.origin}${page.location?.pathname}`, "http://127.0.0.1:9/done")
      assert.strictEqual(page.location?.searchParams.get("state"), "of the app")
      const code = page.location!.searchParams.get("code")!
      const device = { device_type: "desktop", code_verifier: verifier }
      const tokens = yield* exchange({ code, ...device })
      assert.strictEqual(tokens.status, 200, tokens.text)
      assert.deepInclude(tokens.json, { token_type: "Bearer", expires_in: 900 })
      // RFC 6749, section 5.1
      assert.strictEqual(tokens.headers.get("cache-control"), "no-store")
      assert.strictEqual((yield* exchange({ code, ...device })).status, 401)

      const app = makeBrowser()
      assert.deepStrictEqual(ids(yield* app.go(`${url}/api/v1/me`, bearer(tokens.json["access_token"]))), [pilot])
      const next = yield* exchange({ refresh_token: tokens.json["refresh_token"] })
      assert.strictEqual(next.status, 200)
      const put = { method: "PUT", body: "{}", headers: { "content-type": "application/json" } }
      const sent = { ...put, headers: { ...put.headers, ...bearer(next.json["access_token"]).headers } }
      assert.strictEqual((yield* app.go(`${url}/api/v1/me/sessions/this`, sent)).status, 204)
      assertProblem(yield* exchange({ refresh_token: tokens.json["refresh_token"] }), 401, /used before/)
      assert.strictEqual((yield* exchange({ refresh_token: next.json["refresh_token"] })).status, 401)
      assert.strictEqual((yield* app.go(`${url}/api/v1/me`, bearer(next.json["access_token"]))).status, 401)

      const { page: stolen } = yield* signInApp(pilot)
      const guessed = { code: stolen.location!.searchParams.get("code"), ...device, code_verifier: "x".repeat(43) }
      assert.strictEqual((yield* exchange(guessed)).status, 401)
      for (const [name, value] of [["state", "\0"], ["app_redirect", "http://127.0.0.1:9/\0"]] as const) {
        const query = new URLSearchParams({ app_redirect: "http://127.0.0.1:9/", state: "x", [name]: value })
        query.set("code_challenge", "x".repeat(43))
        const refused = yield* makeBrowser().go(`${url}/api/v1/auth/sign-in?${query}`)
        assertProblem(refused, 400, new RegExp(`^${name}: expected at most 2000 characters`))
      }
      for (
        const app_redirect of [
          "https://evil.example",
          "http://localhost:9/",
          "http://127.0.0.1.evil.example",
          "http://user@127.0.0.1:9/",
          "javascript:alert(1)"
        ]
      ) {
        assertProblem(
          yield* makeBrowser().go(`${url}/api/v1/auth/sign-in?app_redirect=${encodeURIComponent(app_redirect)}`),
          400,
          /^app_redirect: wants /
        )
      }
    }))
})

layer(Daemon.layer, { excludeTestServices: true, timeout: 60_000 })("whoever leaves", (it) => {
  it.effect("takes along what is kept of them, and nothing is left, here or at EVE's SSO", () =>
    Effect.gen(function*() {
      const { sandbox, sql, url } = yield* Daemon
      const { browser, pilot } = yield* signedIn()
      const second = nextPilot()
      yield* signInWith(browser, url, second, "?add=true")
      const exported = yield* browser.go(`${url}/api/v1/me/export`)
      const all = "user settings sessions character_data character_changes notifications alerts webhooks killmail_lists"
      assert.sameMembers(Object.keys(exported.json), all.split(" "))
      assert.include(exported.text, String(pilot))
      assert.notMatch(exported.text, /km[ar]_/)

      const removed = yield* browser.send("DELETE", `${url}/api/v1/me/characters/${second}`)
      assert.deepStrictEqual(removed.json, { grants_revoked: 1, grants_unreached: 0 })
      assertProblem(yield* browser.send("DELETE", `${url}/api/v1/me/characters/${pilot}`), 409, /last character/)
      const left = yield* browser.send("DELETE", `${url}/api/v1/me`)
      assert.deepStrictEqual(left.json, { grants_revoked: 1, grants_unreached: 0 })
      assert.strictEqual(browser.cookies.size, 0)
      for (const table of ["users", "user_characters", "user_tokens", "sessions", "user_settings"]) {
        assert.deepStrictEqual(yield* sql`select * from ${sql(table)}`, [], table)
      }
      assert.strictEqual(sandbox.requests().filter(({ path }) => path.endsWith("/revoke")).length, 2)
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.effect("leaves even while EVE's SSO is away, and is told so", () =>
    Effect.gen(function*() {
      const { sandbox, sql, url } = yield* Daemon
      const { browser } = yield* signedIn()
      sandbox.intercept(({ path }) => path.endsWith("/revoke") ? { status: 503 } : undefined)
      const left = yield* browser.send("DELETE", `${url}/api/v1/me`)
      assert.deepStrictEqual(left.json, { grants_revoked: 0, grants_unreached: 1 })
      assert.deepStrictEqual(yield* sql`select from users`, [])
    }))
})

describe("sign-in", () => {
  it.live("under HTTPS has cookies that no other host can set, and comes back to where it is registered", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox({ speed: 1 })
      const { url: databaseUrl } = yield* migratedDatabase
      const { url } = yield* stoppableDaemon(databaseUrl, sandbox, {
        KILLMAILD_FEEDS: "",
        KILLMAILD_PUBLIC_URL: "https://kb.example.org"
      })
      const browser = makeBrowser()
      const begun = yield* browser.go(`${url}/api/v1/auth/sign-in`)
      assert.strictEqual(
        begun.location?.searchParams.get("redirect_uri"),
        "https://kb.example.org/api/v1/auth/callback"
      )
      const back = yield* chooseOn(begun, nextPilot())
      // As the proxy before us passes it on.
      assert.strictEqual((yield* browser.go(url + back.pathname + back.search)).status, 302)
      assert.sameMembers([...browser.cookies.keys()], ["__Host-killmaild-session", "__Host-killmaild-renewal"])
      for (const name of browser.cookies.keys()) {
        const attributes = browser.attributes.get(name)!
        assert.match(attributes, /; Secure/i)
        assert.match(attributes, /; Path=\/(;|$)/i)
        assert.notMatch(attributes, /Domain/i)
      }
      const renewing = (origin: string) =>
        browser.go(`${url}/api/v1/auth/renew`, { method: "POST", headers: { origin } })
      assert.strictEqual((yield* renewing(url)).status, 403)
      assert.strictEqual((yield* renewing("https://kb.example.org")).status, 204)
    }))

  it.live("is off without an application, and says so", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url: databaseUrl } = yield* migratedDatabase
      const { url } = yield* stoppableDaemon(databaseUrl, sandbox, {
        KILLMAILD_FEEDS: "",
        KILLMAILD_SSO_CLIENT_ID: ""
      })
      const page = yield* makeBrowser().go(`${url}/api/v1/auth/sign-in`)
      assertProblem(page, 503, /^Sign-in is off: the operator has set no KILLMAILD_SSO_CLIENT_ID\.$/)
    }))

  it.live("leaves nothing that the role of clients' questions may read", () =>
    Effect.gen(function*() {
      const { url } = yield* migratedDatabase
      const secret = Redacted.make(url)
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        for (
          const table of [
            "users",
            "user_characters",
            "user_tokens",
            "sessions",
            "rotated_refresh_tokens",
            "user_settings",
            "sign_ins",
            "app_codes"
          ]
        ) {
          const [row] = yield* sql<{ may: boolean }>`
            select has_table_privilege('killmaild_public', ${table}, 'select') as may`
          assert.isFalse(row!.may, table)
        }
      }).pipe(Effect.provide(Database.layer(secret)))
    }))
})
