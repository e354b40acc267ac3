import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Option } from "effect"
import { SqlClient } from "effect/sql"
import { LiveKillmails } from "../../src/broadcast/LiveKillmails.ts"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { hearingOf } from "../../src/intake/Hearing.ts"
import { FeedStore } from "../../src/store/FeedStore.ts"
import { KillmailReader } from "../../src/store/KillmailReader.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { mailOf, newKillmail } from "../support/Mails.ts"
import { replicaOn, withStores } from "../support/Stores.ts"
import { eventually } from "../support/TestDaemon.ts"

const append = (mails: ReadonlyArray<Killmail>) =>
  Effect.flatMap(KillmailStore, (store) => store.append(mails.map((mail) => newKillmail(mail))))

/** As a mail is that must not be seen yet. */
const withhold = ({ killmail_id }: Killmail) =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) =>
      sql`update killmail_ledger set visible_from = 'infinity', sequence = null
        where killmail_id = ${BigInt(killmail_id)}`
  )

const hear = (killmail: Killmail) =>
  Effect.flatMap(FeedStore, (feeds) =>
    feeds.hearByHand(hearingOf("manual", "live", {
      killmail_id: killmail.killmail_id,
      hash: newKillmail(killmail).hash
    })))

const publishedIds = (after: number, limit = 10) =>
  Effect.map(
    Effect.flatMap(KillmailReader, (reader) => reader.publishedAfter(after, limit)),
    (publications) => publications.map(({ row, sequence }) => [sequence, row.killmail_id])
  )

describe.concurrent("reading killmails", () => {
  it.live("gives publications in order, a page at a time", () =>
    withStores(() =>
      Effect.gen(function*() {
        const mails = [1, 2, 3, 4, 5].map((k) => mailOf("pages", k))
        for (const mail of mails) yield* append([mail])
        const ids = mails.map(({ killmail_id }) => killmail_id)
        assert.deepStrictEqual(yield* publishedIds(0, 2), [[1, ids[0]!], [2, ids[1]!]])
        assert.deepStrictEqual(yield* publishedIds(2, 2), [[3, ids[2]!], [4, ids[3]!]])
        assert.deepStrictEqual(yield* publishedIds(4, 2), [[5, ids[4]!]])
        assert.deepStrictEqual(yield* publishedIds(5, 2), [])
        const reader = yield* KillmailReader
        assert.strictEqual(yield* reader.lastSequence, 5)
        assert.match(yield* reader.epoch, /^[0-9a-f-]{36}$/)
      })
    ))

  it.live("shows no mail that is withheld, neither by id nor among publications", () =>
    withStores(() =>
      Effect.gen(function*() {
        const reader = yield* KillmailReader
        const sql = yield* SqlClient.SqlClient
        const [hidden, open, later] = [1, 2, 3].map((k) => mailOf("withheld", k)) as [Killmail, Killmail, Killmail]
        yield* append([hidden])
        yield* withhold(hidden)
        yield* append([open])
        yield* append([later])
        yield* sql`update killmail_ledger set visible_from = now() + interval '1 hour', sequence = null
          where killmail_id = ${BigInt(later.killmail_id)}`
        assert.isTrue(Option.isNone(yield* reader.find(hidden.killmail_id)))
        assert.isTrue(Option.isNone(yield* reader.find(later.killmail_id)))
        assert.isTrue(Option.isSome(yield* reader.find(open.killmail_id)))
        assert.isTrue(Option.isNone(yield* reader.find(1)))
        assert.deepStrictEqual(yield* publishedIds(0), [[1, open.killmail_id]])
        const store = yield* KillmailStore
        assert.isTrue(Option.isSome(yield* store.knownHash(hidden.killmail_id)))
      })
    ))

  it.live("tells a publication whatever the clock of its transaction said, and leaves no gap before the next", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const mails = [1, 2, 3].map((k) => mailOf("clocks", k))
        yield* append(mails)
        yield* sql`update killmail_ledger set visible_from = now() + interval '1 second' where sequence = 2`
        assert.deepStrictEqual((yield* publishedIds(0)).map(([sequence]) => sequence), [1, 2, 3])
      })
    ))

  it.live("shows and announces a withheld mail once it is heard of in public, under the next number", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const [hidden, other, open] = [1, 2, 3].map((k) => mailOf("released", k)) as [Killmail, Killmail, Killmail]
        yield* append([hidden, other])
        yield* withhold(hidden)
        yield* withhold(other)
        yield* append([open])
        yield* Effect.gen(function*() {
          const live = yield* LiveKillmails
          const announced: Array<readonly [number, number]> = []
          live.listen(({ document, sequence }) => announced.push([sequence, document.killmail_id]))
          assert.strictEqual(yield* hear(hidden), 0)
          yield* eventually(() => Effect.sync(() => announced.length), (count) => count > 0)
          assert.deepStrictEqual(announced, [[2, hidden.killmail_id]])
          // Heard again it stays what it is.
          assert.strictEqual(yield* hear(hidden), 0)
          assert.strictEqual(yield* hear(open), 0)
          assert.deepStrictEqual(yield* publishedIds(0), [[1, open.killmail_id], [2, hidden.killmail_id]])
          yield* hear(other)
          yield* eventually(() => Effect.sync(() => announced.length), (count) => count > 1)
          assert.deepStrictEqual(announced, [[2, hidden.killmail_id], [3, other.killmail_id]])
        }).pipe(Effect.provide(LiveKillmails.layer))
        assert.deepStrictEqual(
          yield* sql`select from graphile_worker.jobs where task_identifier = 'ingest_killmail'`,
          []
        )
        assert.strictEqual((yield* sql`select from sightings`).length, 4)
      })
    ))

  it.live("keeps a mail's number when a feed names it in a transaction that began before the mail was stored", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const other = Context.get(yield* replicaOn(url), SqlClient.SqlClient)
        const [mail, hidden] = [1, 2].map((k) => mailOf("began-before", k)) as [Killmail, Killmail]
        yield* append([hidden])
        yield* withhold(hidden)
        const began = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        const slowFeed = yield* Effect.forkChild(
          other`select now()`.pipe(
            Effect.andThen(Deferred.succeed(began, undefined)),
            Effect.andThen(Deferred.await(goOn)),
            Effect.andThen(other`select release_withheld(array[${String(mail.killmail_id)}::bigint,
              ${String(hidden.killmail_id)}::bigint])`),
            other.withTransaction
          )
        )
        yield* Deferred.await(began)
        yield* append([mail])
        yield* hear(hidden)
        yield* Deferred.succeed(goOn, undefined)
        yield* Fiber.join(slowFeed)
        assert.deepStrictEqual(yield* publishedIds(0), [[1, mail.killmail_id], [2, hidden.killmail_id]])
      })
    ))
})
