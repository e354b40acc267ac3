import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { hashOf } from "../../src/domain/Killmail.ts"
import type * as Sandbox from "../../src/sandbox/Sandbox.ts"
import { changed, mailOf } from "../support/Mails.ts"
import { eventually, manualSandbox, startDaemon } from "../support/TestDaemon.ts"

/** More than are asked of ESI one by one. */
const lost = 30
const today = new Date().toISOString().slice(0, 10)
const mails = Array.from(
  { length: lost },
  (_, k) => changed(mailOf("repair", k), { killmail_time: `${today}T00:${String(k).padStart(2, "0")}:00Z` })
)

/** As if a feed had told of a hole. */
const openGap = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql`select open_gaps('r2z2', 'hole', 1, 31, ${today}::timestamptz + interval '1 hour', now())`
)

const isRaw = (path: string) => path.startsWith("/history/raw/")

const repaired = Effect.fnUntraced(function*(sandbox: Sandbox.Sandbox) {
  const { context } = yield* startDaemon(sandbox, { KILLMAILD_SCHEDULE_SPEED: "3600" })
  sandbox.publishHistory(today, { killmails: mails, hasBodies: true })
  yield* eventually((sql) => sql`select cursor from feed_cursors where cursor is not null`, (rows) => rows.length === 1)
    .pipe(
      Effect.andThen(openGap),
      Effect.andThen(eventually((sql) => sql`select from killmail_ledger`, (rows) => rows.length === lost)),
      Effect.andThen(
        eventually(
          (sql) =>
            sql<{ source: string; found: number }>`
            select min(source) as source, (select max(found) from gaps where closed_at is not null) as found
            from killmail_ledger`,
          ([row]) => row!.found === lost
        )
      ),
      Effect.provide(context)
    )
  assert.deepStrictEqual(sandbox.violations(), [])
  return sandbox.requests()
})

describe("a gap of today", () => {
  it.live("is filled from EVE-KILL's list and feed, while zKillboard has no list yet", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      sandbox.intercept(({ path, upstream }) =>
        upstream === "r2z2" && path.startsWith("/history/") ? { status: 404 } : undefined
      )
      for (const killmail of mails) sandbox.publishEveKill({ killmail })
      const requests = yield* repaired(sandbox)
      assert.isFalse(requests.some(({ path }) => path.includes("/esi/killmails/")))
    }))

  it.live("is filled from zKillboard's file of the day, while EVE-KILL is away", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      sandbox.intercept(({ upstream }) => upstream === "evekill" ? { status: 503 } : undefined)
      const requests = yield* repaired(sandbox)
      assert.isFalse(requests.some(({ path }) => path.includes("/esi/killmails/")))
    }))

  it.live("is filled from EVE Ref's archive, where the lists come without bodies", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      sandbox.intercept(({ path, upstream }) =>
        upstream === "evekill" ? { status: 503 } : upstream === "r2z2" && isRaw(path) ? { status: 404 } : undefined
      )
      sandbox.publishArchive(
        today,
        mails.map((killmail) => ({
          name: `killmails/${killmail.killmail_id}.json`,
          text: JSON.stringify({ ...killmail, killmail_hash: hashOf(killmail) })
        }))
      )
      const requests = yield* repaired(sandbox)
      assert.isFalse(requests.some(({ path }) => path.includes("/esi/killmails/")))
    }))

  it.live("is filled from ESI, where nobody has the bodies", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      sandbox.intercept(({ path, upstream }) => upstream === "r2z2" && isRaw(path) ? { status: 404 } : undefined)
      for (const killmail of mails) sandbox.knowToEsi(killmail)
      const requests = yield* repaired(sandbox)
      assert.strictEqual(requests.filter(({ path }) => path.includes("/esi/killmails/")).length, lost)
    }))
})
