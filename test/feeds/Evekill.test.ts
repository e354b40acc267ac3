import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { settledUpTo } from "../../src/feeds/LateNumbers.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { asEsi, readEntry } from "../../src/upstreams/EveKillFeed.ts"
import { eventually, manualSandbox, speed, startDaemon } from "../support/TestDaemon.ts"

const { hash, killmail } = killmailOf("evekill", 1)

const missedFor = (millis: number) => () => millis

describe("a cursor among numbers that appear late", () => {
  it("goes to the last number when none is missing", () => {
    assert.strictEqual(settledUpTo(10, [11, 12, 13], missedFor(0)), 13)
    assert.strictEqual(settledUpTo(10, [], missedFor(0)), 10)
  })

  it("waits before a number that was missed lately, and not before one that never came", () => {
    assert.strictEqual(settledUpTo(10, [11, 13, 14], missedFor(1_000)), 11)
    assert.strictEqual(settledUpTo(10, [12, 13], missedFor(1_000)), 10)
    assert.strictEqual(settledUpTo(10, [11, 13, 14], missedFor(60_000)), 14)
    assert.strictEqual(settledUpTo(10, [11, 13, 15], (number) => number === 12 ? 60_000 : 0), 13)
  })
})

describe("an entry of EVE-KILL's feed", () => {
  it("is read with its body as ESI would give it", () => {
    const party = { character_id: 0, alliance_id: 0, faction_id: 0 }
    const data = {
      ...killmail,
      war_id: 0,
      victim: { ...party, ...killmail.victim },
      attackers: killmail.attackers.map((attacker) => ({ ...party, weapon_type_id: 0, ...attacker }))
    }
    const entry = { seq: 7, killmail_id: killmail.killmail_id, killmail_hash: hash, data }
    assert.deepStrictEqual(readEntry(entry), { seq: 7, killmail_id: killmail.killmail_id, hash, body: killmail })
    assert.strictEqual(asEsi("no body"), "no body")
  })

  it("that names no killmail is kept as its text", () => {
    assert.deepStrictEqual(readEntry({ seq: 7, killmail_id: 0 }), { seq: 7, text: "{\"seq\":7,\"killmail_id\":0}" })
    assert.deepStrictEqual(readEntry(null), { seq: undefined, text: "null" })
  })
})

/** It looks every 5 s, and waits 30 s for a missing number, both divided by the speed. */
const listening = (sandbox: Sandbox, scheduleSpeed = speed) =>
  startDaemon(sandbox, { KILLMAILD_FEEDS: "evekill", KILLMAILD_SCHEDULE_SPEED: String(scheduleSpeed) })

const cursorIsKnown = eventually(
  (sql) => sql`select from feed_cursors where feed = 'evekill' and cursor is not null`,
  (rows) => rows.length === 1
)
const ledgerHas = (count: number) =>
  eventually((sql) => sql`select from killmail_ledger`, (rows) => rows.length === count)
const mail = (k: number) => ({ killmail: killmailOf("evekill", k).killmail })

describe("a daemon that listens to EVE-KILL", () => {
  it.live("begins at the head, and stores what comes without a question to ESI, whatever its body leaves out as 0", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      sandbox.publishEveKill(mail(0))
      const { context } = yield* listening(sandbox)
      yield* Effect.gen(function*() {
        yield* cursorIsKnown
        for (let k = 1; k <= 30; k++) sandbox.publishEveKill(mail(k))
        yield* ledgerHas(30)
        const sql = yield* SqlClient.SqlClient
        assert.deepStrictEqual(yield* sql`select source, count(*)::int from sightings group by 1`, [
          { source: "evekill", count: 30 }
        ])
        assert.isFalse(sandbox.requests().some(({ path }) => path.startsWith("/esi/killmails")))
        assert.deepStrictEqual(sandbox.violations(), [])
      }).pipe(Effect.provide(context))
    }))

  it.live("hears each entry once, also one that appears after later ones, and steps over numbers that never appear", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { context } = yield* listening(sandbox, 6)
      yield* Effect.gen(function*() {
        yield* cursorIsKnown
        const seq = sandbox.reserveEveKill()
        for (let k = 1; k <= 5; k++) sandbox.publishEveKill(mail(k))
        yield* ledgerHas(5)
        sandbox.publishEveKill({ ...mail(0), seq })
        yield* ledgerHas(6)
        sandbox.reserveEveKill()
        const last = sandbox.publishEveKill(mail(6))
        yield* eventually(
          (sql) => sql<{ cursor: number }>`select cursor::float8 as cursor from feed_cursors`,
          ([row]) => row?.cursor === last
        )
        const sql = yield* SqlClient.SqlClient
        assert.strictEqual((yield* sql`select from sightings`).length, 7)
      }).pipe(Effect.provide(context))
    }))

  it.live("keeps an entry that names no killmail as a dead letter, and goes on", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { context } = yield* listening(sandbox)
      yield* Effect.gen(function*() {
        yield* cursorIsKnown
        const seq = sandbox.publishEveKill(mail(0))
        sandbox.publishEveKill({ raw: { seq: seq + 1, killmail_id: "what" } })
        sandbox.publishEveKill(mail(1))
        yield* ledgerHas(2)
        const letters = yield* (yield* SqlClient.SqlClient)`select task, key, reason from dead_letters`
        assert.deepStrictEqual(letters, [{ task: "feed", key: `evekill:${seq + 1}`, reason: "undecodable" }])
      }).pipe(Effect.provide(context))
    }))

  it.live("waits out a refusal, and survives pages of maintenance", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { context } = yield* listening(sandbox)
      yield* Effect.gen(function*() {
        yield* cursorIsKnown
        let count = 0
        sandbox.intercept(({ upstream }) => {
          if (upstream !== "evekill" || ++count > 4) return undefined
          return count === 1
            ? { status: 429, headers: { "retry-after": "0.3" } }
            : { status: 200, headers: { "content-type": "text/html" }, body: "<html>maintenance</html>" }
        })
        sandbox.publishEveKill(mail(0))
        yield* ledgerHas(1)
        assert.deepStrictEqual(sandbox.violations(), [])
      }).pipe(Effect.provide(context))
    }))

  it.live("catches up by the thousand, and asks for fewer where a page is larger than it reads", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { context } = yield* listening(sandbox)
      yield* Effect.gen(function*() {
        yield* cursorIsKnown
        let isTooLarge = true
        sandbox.intercept(({ upstream }) => {
          if (upstream !== "evekill" || !isTooLarge) return undefined
          isTooLarge = false
          return { status: 200, body: " ".repeat(17 * 1024 * 1024) }
        })
        for (let k = 0; k < 2_500; k++) sandbox.publishEveKill(mail(k))
        yield* ledgerHas(2_500)
        const limits = sandbox.requests().map(({ path }) => new URLSearchParams(path.split("?")[1]).get("limit"))
        assert.include(limits, "100")
        assert.deepStrictEqual(sandbox.violations(), [])
      }).pipe(Effect.provide(context))
    }))
})
