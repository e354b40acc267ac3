import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { hashOf, type Killmail } from "../../src/domain/Killmail.ts"
import { changed, mailOf } from "../support/Mails.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const mails = (from: number, to: number): ReadonlyArray<Killmail> =>
  Array.from({ length: to - from }, (_, k) => mailOf("drop-in", from + k))

/** Asks again until the answer fits. */
const until = Effect.fnUntraced(
  function*<A, E, R>(answer: () => Effect.Effect<A, E, R>, fits: (answer: A) => boolean) {
    for (;;) {
      const found = yield* answer()
      if (fits(found)) return found
      yield* Effect.sleep("20 millis")
    }
  }
)

/** The mail, at another time. */
const at = (k: number, time: string) => changed(mailOf("drop-in", k), { killmail_time: time })

const daemon = Effect.fnUntraced(function*(overrides: Readonly<Record<string, string>> = {}) {
  const sandbox = yield* manualSandbox()
  const { url } = yield* migratedDatabase
  const running = yield* stoppableDaemon(url, sandbox, { KILLMAILD_FEEDS: "", ...overrides })
  return { ...running, sql: Context.get(running.context, SqlClient.SqlClient) }
})

const ask = (url: string) =>
  Effect.promise(async () => {
    const response = await fetch(url)
    const text = await response.text()
    // What a test looks into is what it asserts.
    return { status: response.status, json: JSON.parse(text) as Record<string, unknown> }
  })

interface Package {
  readonly killID: number
  readonly killmail: Killmail
  readonly zkb: { readonly hash: string }
}

describe("/r2z2", () => {
  it.live("has a file for each publication, and none beyond the head", () =>
    Effect.gen(function*() {
      const { store, url } = yield* daemon()
      yield* store(mails(0, 3))
      yield* until(() => ask(`${url}/r2z2/ephemeral/sequence.json`), ({ json }) => json["sequence"] === 3)
      const seen: Array<number> = []
      for (let sequence = 1; sequence <= 3; sequence++) {
        const { json, status } = yield* ask(`${url}/r2z2/ephemeral/${sequence}.json`)
        const { esi, hash, killmail_id, sequence_id, zkb } = json as {
          readonly esi: Killmail
          readonly hash: string
          readonly killmail_id: number
          readonly sequence_id: number
          readonly zkb: object
        }
        assert.deepStrictEqual([status, sequence_id, killmail_id], [200, sequence, esi.killmail_id])
        assert.deepStrictEqual(esi, mails(0, 3).find((mail) => mail.killmail_id === killmail_id))
        assert.strictEqual(hash, hashOf(esi))
        assert.deepInclude(zkb, { hash, attackerCount: esi.attackers.length })
        seen.push(killmail_id)
      }
      assert.strictEqual(new Set(seen).size, 3)
      for (const file of ["4.json", "0.json", "x.json", "1", "99999999999999999999.json"]) {
        assert.strictEqual((yield* ask(`${url}/r2z2/ephemeral/${file}`)).status, 404, file)
      }
    }))

  it.live("lists the days that are over, with hashes, and how many killmails each has", () =>
    Effect.gen(function*() {
      const { store, url } = yield* daemon()
      const before = at(0, "2026-01-31T23:59:59Z")
      const after = [at(1, "2026-02-01T00:00:00Z"), at(2, "2026-02-01T23:59:59Z")]
      const today = at(3, new Date().toISOString().slice(0, 19) + "Z")
      yield* store([before, ...after, today])
      const list = yield* ask(`${url}/r2z2/history/20260201.json`)
      assert.deepStrictEqual(list.json, Object.fromEntries(after.map((mail) => [mail.killmail_id, hashOf(mail)])))
      const totals = () => ask(`${url}/r2z2/history/totals.json`)
      const { json } = yield* until(totals, ({ json }) => json["20260201"] === 2)
      assert.deepInclude(json, { 20260131: 1, 20260201: 2 })
      const missing = [today.killmail_time.slice(0, 10).replaceAll("-", ""), "20260202", "20260230", "99999999", "x"]
      for (const name of missing) assert.strictEqual((yield* ask(`${url}/r2z2/history/${name}.json`)).status, 404, name)
    }))

  it.live("is read by a client of zKillboard's that was given another address", () =>
    Effect.gen(function*() {
      const { store, url } = yield* daemon()
      const client = yield* daemon({
        KILLMAILD_FEEDS: "r2z2",
        KILLMAILD_R2Z2_URL: `${url}/r2z2`,
        KILLMAILD_R2Z2_RATE: "100",
        KILLMAILD_R2Z2_POLL: "100ms"
      })
      const stored = client.sql<{ id: number }>`select killmail_id::float8 as id from killmail_ledger`
      yield* store(mails(0, 1))
      yield* until(() => client.sql`select from feed_cursors`, (rows) => rows.length > 0)
      yield* store(mails(1, 20))
      const ids = mails(1, 20).map(({ killmail_id }) => killmail_id)
      const found = yield* until(() => stored, (rows) => rows.length >= ids.length)
      assert.includeMembers(found.map(({ id }) => id), ids)
    }), 90_000)
})

describe("/redisq/listen.php", () => {
  it.live(
    "hands a queue each killmail once, from when it first listened, also those of its absence",
    () =>
      Effect.gen(function*() {
        const { sql, store, url } = yield* daemon()
        const listen = (queue: string) =>
          Effect.map(
            ask(`${url}/redisq/listen.php?queueID=${queue}&ttw=1`),
            ({ json }) => json["package"] as Package | null
          )
        yield* store(mails(0, 2))
        assert.isNull(yield* listen("mine"))
        yield* store(mails(2, 5))
        const first = yield* listen("mine")
        assert.strictEqual(first!.zkb.hash, hashOf(first!.killmail))
        assert.isNull(yield* listen("late"))
        const rest = [yield* listen("mine"), yield* listen("mine")]
        assert.sameMembers(
          [first, ...rest].map((each) => each!.killID),
          mails(2, 5).map(({ killmail_id }) => killmail_id)
        )
        const both = yield* Effect.all([1, 2].map(() => ask(`${url}/redisq/listen.php?queueID=mine&ttw=1`)), {
          concurrency: 2
        })
        assert.sameMembers(both.map(({ status }) => status), [200, 429])
        const waiting = yield* Effect.forkChild(ask(`${url}/redisq/listen.php?queueID=mine`))
        yield* store(mails(5, 6))
        const { json } = yield* Fiber.join(waiting)
        assert.strictEqual((json["package"] as Package).killID, mailOf("drop-in", 5).killmail_id)
        // A queue that nobody listened to for three hours is forgotten, and begins anew.
        yield* sql`update redisq_queues set heard_at = now() - interval '181 minutes', sequence = 0`
        assert.isNull(yield* listen("mine"))
        assert.deepStrictEqual(yield* sql`select queue_id from redisq_queues`, [{ queue_id: "mine" }])
      }),
    90_000
  )

  it.live("refuses who names no queue, or wants a filter", () =>
    Effect.gen(function*() {
      const { url } = yield* daemon()
      assert.strictEqual((yield* ask(`${url}/redisq/listen.php`)).status, 429)
      assert.strictEqual((yield* ask(`${url}/redisq/listen.php?queueID=${"x".repeat(101)}`)).status, 429)
      assert.strictEqual((yield* ask(`${url}/redisq/listen.php?queueID=x&filter=alliance:1`)).status, 400)
    }))
})
