import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import type { Appraisal } from "../../src/domain/Judgement.ts"
import * as Database from "../../src/store/Database.ts"
import { Imports } from "../../src/store/Imports.ts"
import { KillmailCopy } from "../../src/store/KillmailCopy.ts"
import { KillmailReader } from "../../src/store/KillmailReader.ts"
import { KillmailStore, type NewKillmail } from "../../src/store/KillmailStore.ts"
import { changed, crowd, mailOf, newKillmail, withVictim } from "../support/Mails.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"

const key = { source: "test", day: "2026-01-01" }
const advance = { key, bytesRead: 10, killmails: 1 }

const makeWorld = Effect.gen(function*() {
  const { url } = yield* migratedDatabase
  const secret = Redacted.make(url)
  const services = yield* Layer.build(
    Layer.fresh(
      Layer.mergeAll(KillmailCopy.layer, KillmailStore.layer, KillmailReader.layer, Imports.layer).pipe(
        Layer.provideMerge(Database.layer(secret))
      )
    )
  )
  return {
    sql: Context.get(services, SqlClient.SqlClient),
    copy: Context.get(services, KillmailCopy),
    store: Context.get(services, KillmailStore),
    reader: Context.get(services, KillmailReader),
    imports: Context.get(services, Imports)
  }
})

const appraisal: Appraisal = {
  valuation: {
    day: "2026-01-01",
    lines: [],
    destroyed: 123_456_789_012_345_678n,
    dropped: 5n,
    fitted: 0n,
    total: 123_456_789_012_345_683n,
    unpriced_items: 3
  },
  points: 17,
  npc: false,
  solo: true,
  awox: false,
  labels: ["tz:eu", "ä \\ \"quoted\"", "loc:nullsec"],
  locationId: 50_000_001,
  isProvisional: false
}

const extremes: ReadonlyArray<NewKillmail> = [
  newKillmail(withVictim(mailOf("extreme", 1001), { character_id: 2_147_483_648, damage_taken: -1_000_000 })),
  newKillmail(changed(mailOf("extreme", 1002), {
    attackers: [
      ...crowd(40),
      { damage_done: -7, final_blow: false, security_status: -9.999_999_999, character_id: 9_007_199_254_740_991 }
    ]
  })),
  newKillmail(withVictim(mailOf("extreme", 1003), {
    position: { x: 1.7976931348623157e308, y: -5e-324, z: 0.1 },
    items: [{
      flag: 5,
      item_type_id: 3297,
      singleton: 0,
      items: [{ flag: 0, item_type_id: 34, singleton: 2, quantity_dropped: 9_007_199_254_740_991 }]
    }]
  })),
  newKillmail(mailOf("extreme", 1004), { appraisal }),
  newKillmail(mailOf("extreme", 1005), {
    appraisal: { ...appraisal, labels: [], isProvisional: true, locationId: null }
  }),
  newKillmail(changed(mailOf("extreme", 1006), { attackers: [] }))
]

describe("killmails that are copied", () => {
  it.live("are the same rows that the live path writes", () =>
    Effect.gen(function*() {
      const mails = [...Array.from({ length: 200 }, (_, k) => newKillmail(mailOf("copied", k))), ...extremes]
      const live = yield* makeWorld
      const copied = yield* makeWorld
      yield* live.store.append(mails)
      assert.strictEqual(yield* copied.copy.store(mails, advance), mails.length)
      for (const table of ["killmails", "attackers", "items"]) {
        const rows = (sql: SqlClient.SqlClient) =>
          sql`select * from ${sql(table)} order by ${sql.literal(table === "killmails" ? "2" : "2, ordinal")}`
        assert.deepStrictEqual(yield* rows(copied.sql), yield* rows(live.sql), table)
      }
    }))

  it.live("are visible, but not announced, and those that are here are left alone", () =>
    Effect.gen(function*() {
      const { copy, reader, sql, store } = yield* makeWorld
      const mails = Array.from({ length: 5 }, (_, k) => newKillmail(mailOf("twice", k)))
      yield* store.append(mails.slice(0, 2))
      assert.strictEqual(yield* copy.store([...mails, ...mails], advance), 3)
      assert.strictEqual(yield* copy.store(mails, advance), 0)
      assert.strictEqual(yield* reader.lastSequence, 2)
      const found = yield* reader.find(mails[4]!.killmail.killmail_id)
      assert.isNull(Option.getOrThrow(found).sequence)
      const [counted] = yield* sql<{ count: number }>`select count(*)::int as count from killmails`
      assert.strictEqual(counted!.count, 5)
    }))

  it.live("by two at once, and by the live path too, are stored once", () =>
    Effect.gen(function*() {
      const { copy, sql, store } = yield* makeWorld
      const mails = Array.from({ length: 300 }, (_, k) => newKillmail(mailOf("raced", k)))
      const live = Effect.as(store.append(mails), 0)
      yield* Effect.all([copy.store(mails, advance), copy.store(mails.toReversed(), advance), live], {
        concurrency: "unbounded"
      })
      const [counts] = yield* sql<Record<string, number>>`
        select (select count(*) from killmail_ledger)::int as ledger, (select count(*) from killmails)::int as killmails,
          (select count(*) from (select distinct killmail_id, ordinal from attackers) as one)::int as attackers,
          (select count(*) from attackers)::int as all_attackers`
      assert.strictEqual(counts!["ledger"], 300)
      assert.strictEqual(counts!["killmails"], 300)
      assert.strictEqual(counts!["attackers"], counts!["all_attackers"])
    }))

  it.live("fail as a whole when one has a value that fits no column", () =>
    Effect.gen(function*() {
      const { copy, sql } = yield* makeWorld
      const bad = newKillmail(withVictim(mailOf("bad", 0), { ship_type_id: 3_000_000_000 }))
      const error = yield* Effect.flip(copy.store([newKillmail(mailOf("bad", 1)), bad], advance))
      assert.isTrue(Database.isBadRow(error), String(error))
      assert.deepStrictEqual(yield* sql`select from killmail_ledger`, [])
      assert.strictEqual(yield* copy.store([newKillmail(mailOf("bad", 1))], advance), 1)
    }))

  it.live("of a month that was not there lack indexes for searches until the last import of it has ended", () =>
    Effect.gen(function*() {
      const { imports, sql } = yield* makeWorld
      const indexes = Effect.map(
        sql`select from pg_indexes where tablename ~ '_2011_05$'`,
        (rows) => rows.length
      )
      const archive = { source: "everef", day: "2011-05-07" }
      yield* imports.begin(archive, 100)
      assert.strictEqual(yield* indexes, 4)
      yield* sql`select id from graphile_worker.add_job('import_day', job_key => 'import_day:2011-05-08:everef')`
      assert.isFalse(yield* imports.end(archive, { digest: "a", listed: null }))
      assert.strictEqual(yield* imports.indexMonths, 0)
      yield* sql`delete from graphile_worker._private_jobs`
      assert.isTrue(yield* imports.end(archive, { digest: "a", listed: null }))
      yield* imports.indexMonth("2011-05-07", true)
      assert.strictEqual(yield* indexes, 15)
      assert.strictEqual(yield* imports.indexMonths, 0)
    }))
})
