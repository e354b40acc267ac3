/**
 * A pilot's whole way, in a real browser: Debian's Chromium, or the one that `CHROMIUM_PATH` names. `.ci/run` installs it;
 * without one this says so, and is skipped.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { existsSync } from "node:fs"
import { type BrowserContext, chromium, type Page } from "playwright-core"
import { pilotOf } from "../../src/sandbox/People.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const executablePath = [process.env["CHROMIUM_PATH"], "/usr/bin/chromium", "/usr/bin/chromium-browser"]
  .find((path) => path !== undefined && existsSync(path))

/** It asks nobody but the pages that it is sent to. */
const args = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]

const launch = Effect.acquireRelease(
  Effect.promise(() => chromium.launch({ executablePath: executablePath!, chromiumSandbox: false, args })),
  (browser) => Effect.promise(() => browser.close())
)

interface Own {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** What a page of ours gets that asks for this, with whatever cookies the browser has. */
const ask = (page: Page, method: string, path: string, body?: unknown) =>
  Effect.promise(() =>
    page.evaluate(async ({ body, method, path }): Promise<Own> => {
      const headers: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" }
      const response = await fetch(path, { method, headers, body: body === undefined ? null : JSON.stringify(body) })
      const text = await response.text()
      return { status: response.status, body: text === "" ? {} : JSON.parse(text) }
    }, { method, path, body })
  )

const charactersOf = ({ body }: Own) =>
  (body["characters"] as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name)

/** Goes to EVE's SSO by way of ours, and clicks on a pilot there. */
const signIn = (page: Page, url: string, name: string, query = "") =>
  Effect.promise(async () => {
    await page.goto(`${url}/api/v1/auth/sign-in?return_to=/docs${query}`)
    assert.strictEqual(await page.title(), "EVE SSO of the sandbox")
    await page.getByRole("link", { name, exact: true }).click()
    await page.waitForURL(`${url}/docs`)
  })

if (executablePath === undefined) {
  console.warn("There is no Chromium here: the sign-in in a real browser is not tested.")
}

describe.skipIf(executablePath === undefined)("a pilot with a real browser", () => {
  it.live("signs in, adds a character, ends the other session and leaves", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox({ speed: 1 })
      const { url: databaseUrl } = yield* migratedDatabase
      const { context, url } = yield* stoppableDaemon(databaseUrl, sandbox, { KILLMAILD_FEEDS: "" })
      const [first, second] = [0, 1].map((number) => sandbox.census.nameOf(pilotOf("test", number).character)!) as [
        string,
        string
      ]
      const sql = Context.get(context, SqlClient.SqlClient)
      const browser = yield* launch
      const open = (at: BrowserContext) => Effect.promise(() => at.newPage())

      const home = yield* Effect.promise(() => browser.newContext())
      const page = yield* open(home)
      yield* signIn(page, url, first)
      assert.deepStrictEqual(charactersOf(yield* ask(page, "GET", "/api/v1/me")), [first])
      assert.strictEqual(yield* Effect.promise(() => page.evaluate("document.cookie")), "")
      yield* signIn(page, url, second, "&add=true")
      assert.deepStrictEqual(charactersOf(yield* ask(page, "GET", "/api/v1/me")), [first, second])

      const elsewhere = yield* open(yield* Effect.promise(() => browser.newContext()))
      yield* signIn(elsewhere, url, second)
      const { body } = yield* ask(page, "GET", "/api/v1/me/sessions")
      const other = (body["data"] as ReadonlyArray<{ id: string; is_this: boolean }>).find(({ is_this }) => !is_this)!
      assert.strictEqual((yield* ask(page, "DELETE", `/api/v1/me/sessions/${other.id}`)).status, 204)
      assert.strictEqual((yield* ask(elsewhere, "GET", "/api/v1/me")).status, 401)

      assert.strictEqual((yield* ask(page, "DELETE", "/api/v1/me")).status, 200)
      assert.strictEqual((yield* ask(page, "GET", "/api/v1/me")).status, 401)
      assert.deepStrictEqual(yield* sql`select from users`, [])
      assert.deepStrictEqual(yield* Effect.promise(() => home.cookies(url)), [])
      assert.deepStrictEqual(sandbox.violations(), [])
    }))
})
