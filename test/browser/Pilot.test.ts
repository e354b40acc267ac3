/**
 * A pilot's whole way, in a real browser: Debian's Chromium, or the one that `CHROMIUM_PATH` names. `.ci/run` installs it;
 * without one this says so, and is skipped.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { chromium, type Page } from "playwright-core"
import { pilotOf } from "../../src/sandbox/People.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { run } from "../commands/CommandLine.ts"
import { until } from "../soak/Rig.ts"
import { mailOf, withVictim } from "../support/Mails.ts"
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

const dataDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-browser-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
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

const pilotIn = (sandbox: Sandbox, number: number) => {
  const { character } = pilotOf("test", number)
  return { character, name: sandbox.census.nameOf(character)! }
}

const idsOf = ({ body }: Own) =>
  (body["data"] as ReadonlyArray<{ readonly killmail_id: number }>).map(({ killmail_id }) => killmail_id)

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
  it.live(
    "signs in, is told of what happens to two characters, rotates keys, ends a session and leaves",
    () =>
      Effect.gen(function*() {
        const sandbox = yield* manualSandbox({ speed: 1 })
        const { url: databaseUrl } = yield* migratedDatabase
        const directory = yield* dataDirectory
        const environment = {
          KILLMAILD_DATA_DIR: directory,
          KILLMAILD_FEEDS: "",
          // Pilots' lists are looked at every few seconds.
          KILLMAILD_SCHEDULE_SPEED: "20"
        }
        const { context, url } = yield* stoppableDaemon(databaseUrl, sandbox, environment)
        const [first, second] = [pilotIn(sandbox, 0), pilotIn(sandbox, 1)]
        const browser = yield* launch
        const open = Effect.map(
          Effect.promise(() => browser.newContext()),
          (at) => Effect.map(Effect.promise(() => at.newPage()), (page) => ({ page, cookies: () => at.cookies(url) }))
        ).pipe(Effect.flatten)

        const { cookies, page } = yield* open
        yield* signIn(page, url, first.name)
        assert.deepStrictEqual(charactersOf(yield* ask(page, "GET", "/api/v1/me")), [first.name])
        assert.strictEqual(yield* Effect.promise(() => page.evaluate("document.cookie")), "")

        const inboxes = { discord: sandbox.inboxes.make("discord"), json: sandbox.inboxes.make("receiver") }
        for (const [format, inbox] of Object.entries(inboxes)) {
          const made = yield* ask(page, "POST", "/api/v1/me/webhooks", {
            name: format,
            format,
            url: inbox,
            filter: { character: [second.character] }
          })
          assert.strictEqual(made.status, 201, JSON.stringify(made.body))
        }
        const loss = withVictim(mailOf("browser", 1), { character_id: second.character })
        sandbox.knowToEsi({ ...loss, killmail_time: new Date().toISOString().replace(/\.\d+/, "") })
        yield* signIn(page, url, second.name, "&add=true")
        assert.deepStrictEqual(charactersOf(yield* ask(page, "GET", "/api/v1/me")), [first.name, second.name])
        yield* until(
          "both webhooks to be told",
          Effect.sync(() =>
            Object.values(inboxes).every((inbox) => sandbox.inboxes.received(inbox).length > 0) || undefined
          )
        )
        const told = sandbox.inboxes.received(inboxes.json)[0]!
        assert.strictEqual(JSON.parse(told.body).killmail_id, loss.killmail_id)
        assert.match(String(told.headers["webhook-signature"]), /^v1,/)
        const own = yield* ask(page, "GET", "/api/v1/me/killmails")
        assert.deepStrictEqual(idsOf(own), [loss.killmail_id])

        const rotated = yield* run(["keys", "rotate"], {
          KILLMAILD_DATA_DIR: directory,
          DATABASE_URL: databaseUrl
        })
        assert.strictEqual(rotated.status, 0, rotated.err)
        const tested = yield* ask(page, "GET", "/api/v1/me/webhooks")
        const [webhook] = tested.body["data"] as ReadonlyArray<{ readonly id: string }>
        const answer = yield* ask(page, "POST", `/api/v1/me/webhooks/${webhook!.id}/test`)
        assert.deepInclude(answer.body, { delivered: true })

        const { page: elsewhere } = yield* open
        yield* signIn(elsewhere, url, second.name)
        const { body } = yield* ask(page, "GET", "/api/v1/me/sessions")
        const other = (body["data"] as ReadonlyArray<{ id: string; is_this: boolean }>).find(({ is_this }) => !is_this)!
        assert.strictEqual((yield* ask(page, "DELETE", `/api/v1/me/sessions/${other.id}`)).status, 204)
        assert.strictEqual((yield* ask(elsewhere, "GET", "/api/v1/me")).status, 401)

        assert.strictEqual((yield* ask(page, "DELETE", "/api/v1/me")).status, 200)
        assert.strictEqual((yield* ask(page, "GET", "/api/v1/me")).status, 401)
        assert.deepStrictEqual(yield* Context.get(context, SqlClient.SqlClient)`select from users`, [])
        assert.deepStrictEqual(yield* Effect.promise(cookies), [])
        assert.deepStrictEqual(sandbox.violations(), [])
      }),
    180_000
  )
})
