import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { hashOf, type Killmail } from "../../src/domain/Killmail.ts"
import { changed, mailOf } from "../support/Mails.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { eventually, manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

/** New Eden and our own schedules: an hour is 3.6 s. */
const speed = 1000
const missed = 25_000
/** Files that R2Z2 still has, every thousandth of which is a hole. */
const kept = 2_000

const dayMillis = 86_400_000
const today = Math.floor(Date.now() / dayMillis) * dayMillis
const dayOf = (millis: number) => new Date(millis).toISOString().slice(0, 10)
const yesterday = today - dayMillis
/** When the daemon last heard of a killmail. */
const silentSince = yesterday + 30 * 60_000

const killed = (k: number, millis: number): Killmail =>
  changed(mailOf("downtime", k), { killmail_time: new Date(Math.floor(millis / 1000) * 1000).toISOString() })

const stored = (count: number) =>
  eventually(
    (sql) => sql<{ n: number }>`select count(*)::int as n from killmail_ledger`,
    ([row]) => row!.n >= count,
    250_000
  )

const allClosed = eventually(
  (sql) => sql`select feed, reason, day, found from gaps where closed_at is null`,
  (open) => open.length === 0
)

describe("a daemon that was down for a day", () => {
  it.live(
    "has all that it missed, by itself, although the feed no longer had it: 25,000 killmails at speed 1000",
    () =>
      Effect.gen(function*() {
        const sandbox = yield* manualSandbox({ speed })
        const { url } = yield* migratedDatabase
        const settings = {
          KILLMAILD_R2Z2_RATE: String(10 * speed),
          KILLMAILD_R2Z2_POLL: "20ms",
          KILLMAILD_SCHEDULE_SPEED: String(speed)
        }
        const publish = (killmail: Killmail, millis: number) =>
          sandbox.publishR2z2({ esi: killmail, uploaded_at: Math.floor(millis / 1000) })

        const before = yield* stoppableDaemon(url, sandbox, settings)
        const known = Array.from({ length: 10 }, (_, k) => killed(k, silentSince - 1000 * (10 - k)))
        const first = publish(known[0]!, silentSince)
        for (const killmail of known.slice(1)) publish(killmail, silentSince)
        yield* eventually((sql) => sql`select from killmail_ledger`, (rows) => rows.length === known.length)
          .pipe(Effect.provide(before.context))
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`
            update feed_cursors set began_at = now() - interval '5 days', heard_at = ${new Date(silentSince)}`
        }).pipe(Effect.provide(before.context))
        yield* before.stop

        const between = (dayMillis - (silentSince - yesterday)) / missed
        const unheard = Array.from({ length: missed }, (_, k) => killed(100 + k, silentSince + k * between))
        unheard.forEach((killmail, k) => {
          const isHole = k >= missed - kept && k % 1000 === 500
          if (isHole) sandbox.publishR2z2("hole")
          else publish(killmail, Date.parse(killmail.killmail_time) + 60_000)
        })
        sandbox.expireR2z2(first + known.length + missed - kept)
        const old = killed(10, yesterday)
        sandbox.publishHistory(dayOf(yesterday), { killmails: [old, ...known, ...unheard], hasBodies: true })
        // It may be midnight before all is over.
        for (const day of [today, today + dayMillis]) {
          sandbox.publishHistory(dayOf(day), { killmails: [], hasBodies: true })
        }
        sandbox.clientLost()

        const after = yield* stoppableDaemon(url, sandbox, settings)
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* stored(1 + known.length + missed)
          yield* allClosed

          // Somebody posts it three days after the kill, and no feed brings it.
          const late = killed(11, today - 3 * dayMillis)
          sandbox.knowToEsi(late)
          sandbox.publishHistory(dayOf(today - 3 * dayMillis), { killmails: [late], hasBodies: false })
          yield* stored(2 + known.length + missed)
          yield* allClosed

          const hashes = new Map([old, late, ...known, ...unheard].map((mail) => [mail.killmail_id, hashOf(mail)]))
          const ledger = yield* sql<{ id: number; hash: string; announced: boolean }>`
            select killmail_id::float8 as id, encode(hash, 'hex') as hash, sequence is not null as announced
            from killmail_ledger`
          assert.strictEqual(ledger.length, hashes.size)
          assert.isTrue(ledger.every(({ hash, id }) => hashes.get(id) === hash))
          assert.sameMembers(
            ledger.flatMap(({ announced, id }) => announced ? [] : [id]),
            [old.killmail_id, late.killmail_id]
          )
          const gaps = yield* sql<{ reason: string; found: number }>`
            select reason, max(found) as found from gaps group by 1 order by 1`
          assert.deepStrictEqual(gaps.map(({ reason }) => reason), ["downtime", "hole", "short"])
          assert.isAtLeast(Math.max(...gaps.map(({ found }) => found)), missed - kept)
          assert.deepStrictEqual(
            yield* sql`select upstream_total - stored as short from days where stored <> upstream_total`,
            []
          )
          assert.deepStrictEqual(yield* sql`select * from dead_letters`, [])
          assert.deepStrictEqual(sandbox.violations(), [])
        }).pipe(Effect.provide(after.context))
      }),
    300_000
  )
})
