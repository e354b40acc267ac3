import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Option, Queue } from "effect"
import { SqlClient } from "effect/sql"
import { toEsi } from "../../src/domain/Document.ts"
import { hashOf, type Killmail } from "../../src/domain/Killmail.ts"
import { isBadRow, isNoPartition, isPassing } from "../../src/store/Database.ts"
import { KillmailReader } from "../../src/store/KillmailReader.ts"
import { KillmailStore, publicationsChannel, type Receipt } from "../../src/store/KillmailStore.ts"
import { changed, mailOf, newKillmail, plain } from "../support/Mails.ts"
import { replicaOn, withStores } from "../support/Stores.ts"
import { oneWaitsForAnother } from "../support/TestDaemon.ts"

const mailsOf = (seed: string, count: number): ReadonlyArray<Killmail> =>
  Array.from({ length: count }, (_, k) => mailOf(seed, k))

const append = (mails: ReadonlyArray<Killmail>) =>
  Effect.flatMap(KillmailStore, (store) => store.append(mails.map((mail) => newKillmail(mail))))

const ledger = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) =>
    sql<{ id: number; sequence: number }>`
      select killmail_id::float8 as id, sequence::float8 as sequence from killmail_ledger order by sequence`
)

/** Every table that holds a part of a killmail must be as empty as the ledger. */
const rowCounts = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  sql`
    select (select count(*)::int from killmail_ledger) as ledger, (select count(*)::int from killmails) as mails,
      (select count(*)::int from attackers) as attackers, (select count(*)::int from items) as items`)

const stored = (receipts: ReadonlyArray<Receipt>) => receipts.filter(({ outcome }) => outcome === "stored").length

describe.concurrent("appending killmails", () => {
  it.live("stores a batch, with a receipt for each in the order they were given, and one notification", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const reader = yield* KillmailReader
        const mails = mailsOf("batch", 12).toReversed()
        const heard = yield* (yield* PgClient.PgClient).listen(publicationsChannel)
        const receipts = yield* append(mails)
        assert.strictEqual(stored(receipts), 12)
        const byId = new Map((yield* ledger).map(({ id, sequence }) => [id, sequence]))
        assert.deepStrictEqual(
          receipts,
          mails.map(({ killmail_id }) => ({ outcome: "stored", sequence: byId.get(killmail_id)! }))
        )
        assert.deepStrictEqual([...byId.values()], Array.from({ length: 12 }, (_, k) => k + 1))
        for (const mail of mails) {
          const row = Option.getOrThrow(yield* reader.find(mail.killmail_id))
          assert.deepStrictEqual(plain(toEsi(row)), plain(mail))
          assert.strictEqual(row.hash, hashOf(mail))
        }
        assert.strictEqual((yield* Queue.take(heard)).channel, publicationsChannel)
        // A second batch's notification comes next: the first batch sent one only.
        yield* sql`select pg_notify(${publicationsChannel}, 'the test''s own')`
        assert.strictEqual((yield* Queue.take(heard)).payload, "the test's own")
      })
    ))

  it.live("stores a mail once that is in the batch twice, or was there before", () =>
    withStores(() =>
      Effect.gen(function*() {
        const [a, b, c] = mailsOf("twice", 3) as [Killmail, Killmail, Killmail]
        const first = yield* append([b, a, b])
        assert.deepStrictEqual(first.map(({ outcome }) => outcome), ["stored", "stored", "known"])
        const second = yield* append([c, a, c])
        assert.deepStrictEqual(second, [{ outcome: "stored", sequence: 3 }, { outcome: "known" }, { outcome: "known" }])
        assert.strictEqual((yield* ledger).length, 3)
        const store = yield* KillmailStore
        assert.isTrue(Option.isSome(yield* store.knownHash(a.killmail_id)))
        assert.isTrue(Option.isNone(yield* store.knownHash(1)))
        assert.deepStrictEqual(yield* append([]), [])
      })
    ))

  it.live("keeps what zKillboard said, without what jsonb cannot hold, and where it came from", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const store = yield* KillmailStore
        const heardAt = new Date("2026-01-02T03:04:05.678Z")
        const zkb = { "la\0bels": ["\0", "\ud800", "\\u0000", "🚀", "\\\0"], points: 1.5, none: null }
        yield* store.append([newKillmail(mailOf("zkb", 1), { zkb, heardAt, source: "r2z2", traceparent: "00-a-b-01" })])
        yield* store.append([newKillmail(mailOf("zkb", 2), { zkb: "just text \0" })])
        const rows = yield* sql`
          select zkb, heard_at, source, traceparent from killmails join killmail_ledger using (killmail_id)
          order by sequence`
        assert.deepStrictEqual(rows[0], {
          zkb: { "la\ufffdbels": ["\ufffd", "\ufffd", "\\u0000", "🚀", "\\\ufffd"], points: 1.5, none: null },
          heard_at: heardAt,
          source: "r2z2",
          traceparent: "00-a-b-01"
        })
        assert.strictEqual(rows[1]!.zkb, "just text \ufffd")
      })
    ))

  it.live("stores nothing at all when one row is bad, not even a number", () =>
    withStores(() =>
      Effect.gen(function*() {
        const [a, b, c] = mailsOf("bad", 3) as [Killmail, Killmail, Killmail]
        const bad = changed(b, { solar_system_id: 3_000_000_000 })
        const exit = yield* Effect.exit(append([a, bad, c]))
        assert.isTrue(Exit.isFailure(exit))
        assert.deepStrictEqual(yield* rowCounts, [{ ledger: 0, mails: 0, attackers: 0, items: 0 }])
        yield* append([a, c])
        assert.deepStrictEqual((yield* ledger).map(({ sequence }) => sequence), [1, 2])
      })
    ))

  it.live("creates the months that are missing, for whatever time of day at their edges", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const times = [
          "2007-12-05T21:02:00Z",
          "2009-01-31T23:59:59Z",
          "2009-02-01T00:00:00Z",
          "2031-12-31T23:59:59.999Z",
          "2004-02-29T00:00:00Z"
        ]
        yield* append(times.map((killmail_time, k) => changed(mailOf("months", k), { killmail_time })))
        const partitions = yield* sql<{ name: string }>`select distinct tableoid::regclass::text as name from killmails`
        assert.deepStrictEqual(partitions.map(({ name }) => name).toSorted(), [
          "killmails_2004_02",
          "killmails_2007_12",
          "killmails_2009_01",
          "killmails_2009_02",
          "killmails_2031_12"
        ])
      })
    ))

  it.live("creates a month anew that somebody took away, and takes no mail of one that was left detached for a bad row", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const [before, after] = [1, 2].map((k) =>
          changed(mailOf("detached", k), { killmail_time: "2009-04-01T12:00:00Z" })
        ) as [Killmail, Killmail]
        yield* append([before])
        for (const table of ["killmails", "attackers", "items"]) {
          yield* sql`alter table ${sql(table)} detach partition ${sql(`${table}_2009_04`)}`
          yield* sql`alter table ${sql(`${table}_2009_04`)} rename to ${sql(`kept_${table}`)}`
        }
        assert.strictEqual(
          yield* append([after]).pipe(Effect.map(stored), Effect.catch(({ message }) => Effect.succeed(message))),
          1
        )

        yield* sql`alter table items detach partition items_2009_04`
        const error = yield* Effect.flip(
          append([changed(mailOf("detached", 3), { killmail_time: before.killmail_time })])
        )
        assert.isTrue(isNoPartition(error) && isPassing(error) && !isBadRow(error))
      })
    ))

  it.live("of the same 50 mails by two replicas at once stores each once, and says so to one of them", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const mails = mailsOf("both", 50)
        const [one, other] = yield* Effect.all(
          [mails, mails.toReversed()].map((order) =>
            Effect.flatMap(replicaOn(url), (on) => Effect.provide(append(order), on))
          ),
          { concurrency: 2 }
        )
        assert.strictEqual(stored(one!) + stored(other!), 50)
        const rows = yield* ledger
        assert.deepStrictEqual(rows.map(({ sequence }) => sequence), mails.map((_, k) => k + 1))
        assert.strictEqual(new Set(rows.map(({ id }) => id)).size, 50)
        const [counts] = yield* rowCounts
        assert.strictEqual(counts!["mails"], 50)
        assert.strictEqual(counts!["attackers"], mails.flatMap(({ attackers }) => attackers).length)
      })
    ))

  it.live("by four at once numbers them without a hole at any moment, in the order in which they commit", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const replicas = yield* Effect.forEach([1, 2, 3, 4], () => replicaOn(url), { concurrency: 4 })
        const writing = yield* Effect.forkChild(Effect.forEach(
          replicas,
          (on, r) =>
            Effect.forEach(
              Array.from({ length: 12 }, (_, batch) => batch),
              (batch) => Effect.provide(append([0, 1, 2].map((k) => mailOf("four", r * 100 + batch * 3 + k))), on),
              { discard: true }
            ),
          { concurrency: 4, discard: true }
        ))
        const sql = yield* SqlClient.SqlClient
        let last = 0
        let looks = 0
        while (last < 144) {
          const [seen] = yield* sql<{ count: number; max: number; news: ReadonlyArray<number> }>`
            select count(*)::int as count, coalesce(max(sequence), 0)::int as max,
              coalesce(json_agg(sequence order by sequence) filter (where sequence > ${last}), '[]') as news
            from killmail_ledger`
          assert.strictEqual(seen!.count, seen!.max)
          assert.deepStrictEqual(seen!.news, Array.from({ length: seen!.max - last }, (_, k) => last + k + 1))
          last = seen!.max
          looks++
        }
        yield* Fiber.join(writing)
        assert.isAbove(looks, 3)
        assert.strictEqual((yield* ledger).length, 144)
      })
    ))

  it.live("waits for a transaction that may still publish, so that nobody reads past a number to come", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const other = Context.get(yield* replicaOn(url), SqlClient.SqlClient)
        const holds = yield* Deferred.make<void>()
        const commit = yield* Deferred.make<void>()
        const first = mailOf("order", 1)
        const second = changed(mailOf("order", 2), { killmail_time: "2009-04-01T12:00:00Z" })
        yield* append([first])
        yield* sql`update killmail_ledger set visible_from = 'infinity', sequence = null`
        const releasing = yield* Effect.forkChild(
          other`select release_withheld(array[${BigInt(first.killmail_id)}]::bigint[])`.pipe(
            Effect.andThen(Deferred.succeed(holds, undefined)),
            Effect.andThen(Deferred.await(commit)),
            other.withTransaction
          )
        )
        yield* Deferred.await(holds)
        const appending = yield* Effect.forkChild(append([second]))
        yield* oneWaitsForAnother
        const reader = yield* KillmailReader
        assert.strictEqual(yield* reader.lastSequence, 0)
        yield* Deferred.succeed(commit, undefined)
        yield* Fiber.join(releasing)
        assert.deepStrictEqual(yield* Fiber.join(appending), [{ outcome: "stored", sequence: 2 }])
        const published = yield* reader.publishedAfter(0, 10)
        assert.deepStrictEqual(published.map(({ row, sequence }) => [row.killmail_id, sequence]), [
          [first.killmail_id, 1],
          [second.killmail_id, 2]
        ])
        // A first try under a number that was taken meanwhile would have left its row behind.
        assert.deepStrictEqual(yield* sql`select ctid::text as place from killmails_2009_04`, [{ place: "(0,1)" }])
      })
    ))
})
