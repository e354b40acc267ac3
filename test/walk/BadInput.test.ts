import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { SqlClient } from "effect/sql"
import { toEsi } from "../../src/domain/Document.ts"
import { hashOf, type Killmail } from "../../src/domain/Killmail.ts"
import { keyOf } from "../../src/intake/Hearing.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { KillmailReader } from "../../src/store/KillmailReader.ts"
import { changed, crowd, mailOf, plain, withVictim } from "../support/Mails.ts"
import { headIsKnown, publishNaming, publishText } from "../support/R2z2Files.ts"
import { eventually, manualSandbox, startDaemon } from "../support/TestDaemon.ts"

/** What the daemon made of everything published: what it must have stored, and what it must have buried. */
interface Expected {
  readonly stored: Array<Killmail>
  readonly dead: Array<{ readonly key: string; readonly reason: string }>
}

/** What a test publishes; it says with `expected` what must become of it. */
interface Stage {
  readonly sandbox: Sandbox
  readonly expected: Expected
  /** A file as zKillboard writes it, which must be stored. */
  readonly good: (killmail: Killmail, zkb?: object) => void
  /** As `good`, but it must become a dead letter. */
  readonly bad: (killmail: Killmail, reason: string) => void
  /** A file with this text, which must become a dead letter of the feed. */
  readonly unreadable: (raw: string | ((sequence: number) => string), reason: string) => void
  /** A file about this killmail with whatever body, as text. */
  readonly withBody: (killmail: Killmail, body: string, zkb?: string) => number
}

const key = (killmail: Killmail): string => keyOf({ killmail_id: killmail.killmail_id, hash: hashOf(killmail) })

const stageOf = (sandbox: Sandbox): Stage => {
  const expected: Expected = { stored: [], dead: [] }
  return {
    sandbox,
    expected,
    good: (killmail, zkb) => {
      sandbox.publishR2z2({ esi: killmail, ...(zkb === undefined ? {} : { zkb }) })
      expected.stored.push(killmail)
    },
    bad: (killmail, reason) => {
      sandbox.publishR2z2({ esi: killmail })
      expected.dead.push({ key: key(killmail), reason })
    },
    unreadable: (raw, reason) => {
      const sequence = publishText(sandbox, typeof raw === "string" ? () => raw : raw)
      expected.dead.push({ key: `r2z2:${sequence}`, reason })
    },
    withBody: (killmail, body, zkb) => publishNaming(sandbox, killmail, body, zkb)
  }
}

/** Plays it to a daemon that listens to R2Z2, a good killmail before and after each piece, and looks at what became of it. */
const play = (seed: string, pieces: ReadonlyArray<(stage: Stage) => void>) =>
  Effect.gen(function*() {
    const sandbox = yield* manualSandbox()
    const stage = stageOf(sandbox)
    const { context } = yield* startDaemon(sandbox)
    yield* Effect.gen(function*() {
      yield* headIsKnown
      stage.good(mailOf(seed, 0))
      pieces.forEach((publish, index) => {
        publish(stage)
        stage.good(mailOf(seed, index + 1))
      })

      const { dead, stored } = stage.expected
      const ends = yield* eventually(
        (sql) =>
          sql<{ id: number | null; key: string | null; reason: string | null }>`
            select killmail_id::float8 as id, null as key, null as reason from killmail_ledger
            union all select null, key, reason from dead_letters`,
        (rows) => rows.length >= stored.length + dead.length
      )
      assert.deepStrictEqual(
        ends.flatMap(({ key, reason }) => reason === null ? [] : [{ key, reason }]).toSorted(byKey),
        dead.toSorted(byKey)
      )
      assert.deepStrictEqual(
        ends.flatMap(({ id }) => id === null ? [] : [id]).toSorted((a, b) => a - b),
        stored.map(({ killmail_id }) => killmail_id).toSorted((a, b) => a - b)
      )
      const reader = yield* KillmailReader
      for (const killmail of stored) {
        const row = Option.getOrThrow(yield* reader.find(killmail.killmail_id))
        assert.deepStrictEqual(plain(toEsi(row)), plain(killmail))
        assert.strictEqual(row.hash, hashOf(killmail))
      }
      yield* eventually((sql) =>
        sql`select task_identifier from graphile_worker.jobs
        where task_identifier = 'ingest_killmail'`, (rows) => rows.length === 0)
      assert.deepStrictEqual(sandbox.violations(), [])
    }).pipe(Effect.provide(context))
  })

const byKey = (a: { readonly key: string | null }, b: { readonly key: string | null }): number =>
  (a.key ?? "") < (b.key ?? "") ? -1 : 1

const monthsFromNow = (months: number): string => {
  const now = new Date()
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months, 1, 12)).toISOString().slice(0, 19) + "Z"
}

describe.concurrent("bad input", () => {
  it.live("in a feed's files becomes a dead letter with its reason, and the feed goes on", () =>
    play("files", [
      (stage) => stage.unreadable("<!DOCTYPE html><html><body>Bad gateway</body></html>", "undecodable"),
      (stage) => stage.unreadable("", "undecodable"),
      (stage) =>
        stage.unreadable((sequence) => {
          const killmail = mailOf("files", 1000)
          return JSON.stringify({ killmail_id: killmail.killmail_id, esi: killmail, sequence_id: sequence }).slice(
            0,
            300
          )
        }, "undecodable"),
      (stage) =>
        stage.unreadable((sequence) => JSON.stringify({ hello: "world", sequence_id: sequence }), "undecodable"),
      (stage) => stage.unreadable("[]", "undecodable"),
      (stage) => stage.unreadable("null", "undecodable"),
      (stage) => stage.unreadable("{\"killmail_id\": 1, \"hash\": \"\0\"}", "undecodable"),
      // JavaScript's complaint about this one quotes it.
      (stage) => stage.unreadable("\0\0\0", "undecodable"),
      (stage) => stage.unreadable("{\"killmail_id\": 1, \"hash\": \"\\u0000 \\ud800\"}", "undecodable"),
      (stage) =>
        stage.unreadable((sequence) => {
          const esi = mailOf("files", 1001)
          return JSON.stringify({ killmail_id: esi.killmail_id, hash: hashOf(esi), esi, sequence_id: sequence - 1 })
        }, "wrong_sequence"),
      (stage) => {
        // A file in which zKillboard lost the mail, and a number that never came to be, are nothing at all.
        stage.sandbox.publishR2z2({ raw: "{\"killmail_id\":null,\"hash\":null,\"esi\":null,\"sequence_id\":0}" })
      }
    ]))

  it.live("in a body means that ESI is asked, whose answer is stored, or buried with the reason", () =>
    play("bodies", [
      ...[
        "null",
        "\"<html></html>\"",
        "{}",
        "[]",
        JSON.stringify({ ...mailOf("bodies", 1000), killmail_id: -1 }),
        JSON.stringify({ ...mailOf("bodies", 1000), killmail_id: "133500000" }),
        JSON.stringify({ ...mailOf("bodies", 1000), killmail_time: "2026-02-30T00:00:00Z" }),
        JSON.stringify({ ...mailOf("bodies", 1000), attackers: undefined }),
        JSON.stringify(mailOf("bodies", 1001))
      ].map((body, index) => (stage: Stage) => {
        const killmail = mailOf("bodies", 100 + index)
        stage.sandbox.knowToEsi(killmail)
        stage.withBody(killmail, body)
        stage.expected.stored.push(killmail)
      }),
      (stage) => {
        const killmail = mailOf("bodies", 200)
        stage.withBody(killmail, "{\"nobody\": \"knows\"}")
        stage.expected.dead.push({ key: key(killmail), reason: "not_found" })
      },
      // Another mail's body under this one's id and hash, and ESI does not know it either.
      (stage) => {
        const killmail = mailOf("bodies", 201)
        stage.withBody(killmail, JSON.stringify(mailOf("bodies", 202)))
        stage.expected.dead.push({ key: key(killmail), reason: "not_found" })
      }
    ]))

  it.live("with U+0000 and lone surrogates is stored without them", () =>
    Effect.gen(function*() {
      const [inLabels, inBody, inKey, odd, dead] = [100, 101, 102, 103, 104].map((k) => mailOf("nul", k)) as [
        Killmail,
        Killmail,
        Killmail,
        Killmail,
        Killmail
      ]
      yield* play("nul", [
        (stage) => stage.good(inLabels, { labels: ["tz:\0eu", "\ud800", "🚀"], "a\0b": "\0" }),
        (stage) => {
          stage.withBody(inBody, JSON.stringify({ ...inBody, remark: "a\0b \ud800" }))
          stage.expected.stored.push(inBody)
        },
        (stage) => {
          stage.withBody(inKey, JSON.stringify({ ...inKey, "re\0mark": 1 }), "\"\\u0000\"")
          stage.expected.stored.push(inKey)
        },
        (stage) => {
          stage.withBody(odd, JSON.stringify(odd), "null")
          stage.expected.stored.push(odd)
        },
        (stage) => {
          stage.withBody(dead, "{\"why\": \"\\u0000\"}")
          stage.expected.dead.push({ key: key(dead), reason: "not_found" })
        }
      ])
    }))

  it.live("of extreme but possible size and age is stored as it is", () =>
    play("extreme", [
      (stage) => stage.good(changed(mailOf("extreme", 100), { attackers: crowd(5100) })),
      (stage) => stage.good(changed(mailOf("extreme", 101), { killmail_id: 3_000_000_001 })),
      (stage) => stage.good(changed(mailOf("extreme", 102), { killmail_id: 999_999_999_999_999 })),
      (stage) =>
        stage.good(withVictim(mailOf("extreme", 103), { character_id: 2_147_483_648, corporation_id: 98_000_000_000 })),
      (stage) =>
        stage.good(changed(mailOf("extreme", 104), {
          attackers: [
            ...crowd(1),
            { damage_done: -7, final_blow: false, security_status: -9.999_999_999, character_id: 9_007_199_254_740_991 }
          ]
        })),
      (stage) => stage.good(changed(mailOf("extreme", 105), { killmail_time: "2007-12-05T21:02:00Z" })),
      (stage) => stage.good(changed(mailOf("extreme", 106), { killmail_time: monthsFromNow(1) })),
      (stage) => stage.good(withVictim(mailOf("extreme", 107), { items: [] })),
      (stage) => stage.good(withVictim(mailOf("extreme", 108), { damage_taken: -1_000_000 })),
      (stage) => stage.good(changed(mailOf("extreme", 109), { attackers: [] })),
      (stage) =>
        stage.good(withVictim(mailOf("extreme", 110), {
          position: { x: 1.7976931348623157e308, y: -5e-324, z: 0.1 },
          items: [
            {
              flag: 5,
              item_type_id: 3297,
              singleton: 0,
              quantity_destroyed: 1,
              items: [
                { flag: 0, item_type_id: 34, singleton: 0, quantity_dropped: 9_007_199_254_740_991 },
                {
                  flag: 0,
                  item_type_id: 3297,
                  singleton: 0,
                  items: [{ flag: 0, item_type_id: 35, singleton: 2, quantity_destroyed: -3 }]
                }
              ]
            },
            { flag: 5, item_type_id: 34, singleton: 0 },
            { flag: 5, item_type_id: 34, singleton: 0 }
          ]
        })),
      (stage) => {
        const { items: _, ...victim } = mailOf("extreme", 111).victim
        stage.good(changed(mailOf("extreme", 111), { victim }))
      }
    ]))

  it.live("that cannot be true or does not fit a row is refused, and its neighbours are stored", () =>
    play("refused", [
      (stage) =>
        stage.bad(changed(mailOf("refused", 100), { killmail_time: "2099-01-01T00:00:00Z" }), "implausible_time"),
      (stage) =>
        stage.bad(changed(mailOf("refused", 101), { killmail_time: "1999-01-01T00:00:00Z" }), "implausible_time"),
      (stage) => {
        // Held back until all are there, so that good and bad ones share batches.
        for (let k = 0; k < 20; k++) stage.good(mailOf("refused", 200 + k))
        stage.bad(changed(mailOf("refused", 102), { solar_system_id: 3_000_000_000 }), "bad_row")
        for (let k = 0; k < 20; k++) stage.good(mailOf("refused", 300 + k))
        stage.bad(withVictim(mailOf("refused", 103), { ship_type_id: 3_000_000_000 }), "bad_row")
        stage.bad(
          changed(mailOf("refused", 104), { attackers: crowd(1).map((one) => ({ ...one, ship_type_id: 2 ** 40 })) }),
          "bad_row"
        )
        stage.bad(
          withVictim(mailOf("refused", 105), { items: [{ flag: 2 ** 31, item_type_id: 34, singleton: 0 }] }),
          "bad_row"
        )
      }
    ]))
})

describe("a body with a NUL that ends as a dead letter", () => {
  it.live("keeps its payload, but for what Postgres cannot hold", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const killmail = mailOf("kept", 1)
      const { context } = yield* startDaemon(sandbox, { KILLMAILD_FEEDS: "redisq" })
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        sandbox.publishRedisq({
          killID: killmail.killmail_id,
          killmail: { remark: "\0 \ud800" },
          zkb: { hash: hashOf(killmail), labels: ["\0 \\u0000"] }
        })
        yield* eventually((sql) => sql`select from dead_letters`, (rows) => rows.length === 1)
        const [letter] = yield* sql<{ reason: string; payload: { body: unknown; zkb: { labels: unknown } } }>`
          select reason, payload from dead_letters`
        assert.strictEqual(letter!.reason, "not_found")
        assert.deepStrictEqual(letter!.payload.body, { remark: "\ufffd \ufffd" })
        assert.deepStrictEqual(letter!.payload.zkb.labels, ["\ufffd \\u0000"])
        assert.deepStrictEqual(sandbox.violations(), [])
      }).pipe(Effect.provide(context))
    }))
})
