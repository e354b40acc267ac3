import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { hashOf } from "../../src/domain/Killmail.ts"
import { hearingOf, keyOf } from "../../src/intake/Hearing.ts"
import { FeedStore } from "../../src/store/FeedStore.ts"
import { Gaps } from "../../src/store/Gaps.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { changed, mailOf, newKillmail } from "../support/Mails.ts"
import { type Stores, withStores } from "../support/Stores.ts"

const dayOf = (daysAgo: number) => new Date(Date.now() - daysAgo * 86_400_000).toISOString().slice(0, 10)

/** Of that day, and stored. */
const storeOne = (k: number, day: string) =>
  KillmailStore.use((store) =>
    store.append([newKillmail(changed(mailOf("gaps", k), { killmail_time: `${day}T12:00:00Z` }))])
  )

/** A database that began to listen so many days ago. */
const listeningSince = (daysAgo: number) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    sql`insert into feed_cursors (feed, cursor, began_at, heard_at)
      values ('r2z2', 1, now() - ${daysAgo} * interval '1 day', now())`)

const withGaps = <A, E>(test: (gaps: Gaps["Service"]) => Effect.Effect<A, E, Stores | Scope.Scope>) =>
  withStores(() => Effect.flatMap(Gaps, test))

describe.concurrent("a day that has fewer killmails here than at zKillboard", () => {
  it.live("opens a gap where feeds were heard or its archive was imported, and none where nobody looked after it", () =>
    withGaps((gaps) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* listeningSince(3)
        yield* sql`insert into imports (source, day, bytes, digest) values ('everef', '2020-02-02', 1, 'a'), ('everef', '2020-02-03', 1, null)`
        yield* storeOne(1, dayOf(2))
        const totals = [dayOf(1), dayOf(2), dayOf(9), "2020-02-01", "2020-02-02", "2020-02-03"].map((day) =>
          [day, 1] as const
        )
        assert.strictEqual(yield* gaps.compare(new Map(totals)), 2)
        assert.deepStrictEqual((yield* gaps.open).map(({ day }) => day), [dayOf(1), "2020-02-02"])
        const days = yield* gaps.days
        assert.deepStrictEqual(
          days.map(({ day, kept, stored }) => ({ day, kept, stored })),
          [
            { day: dayOf(1), kept: true, stored: 0 },
            { day: dayOf(2), kept: true, stored: 1 },
            { day: dayOf(9), kept: false, stored: 0 },
            { day: "2020-02-03", kept: false, stored: 0 },
            { day: "2020-02-02", kept: true, stored: 0 },
            { day: "2020-02-01", kept: false, stored: 0 }
          ]
        )
        assert.deepInclude(yield* gaps.completeness, { open: 2, ratio: 1 / 3 })
      })
    ))

  it.live("does not count what is held back, which is public once such a list names it", () =>
    withGaps((gaps) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* listeningSince(3)
        const day = dayOf(2)
        yield* storeOne(1, day)
        yield* sql`update killmail_ledger set sequence = null, visible_from = 'infinity'`
        assert.strictEqual(yield* gaps.compare(new Map([[day, 1]])), 1)
        assert.deepStrictEqual((yield* gaps.days).map(({ stored }) => stored), [0])

        const killmail = changed(mailOf("gaps", 1), { killmail_time: `${day}T12:00:00Z` })
        const ref = { killmail_id: killmail.killmail_id, hash: hashOf(killmail) }
        const refs = [{ ...ref, key: keyOf(ref) }]
        assert.deepStrictEqual([...(yield* gaps.missing(refs)).absent], [ref.killmail_id])
        yield* FeedStore.use(({ hearFrom }) => hearFrom("zkillboard", [hearingOf("zkillboard", "repair", ref)]))
        assert.deepStrictEqual([...(yield* gaps.missing(refs)).absent], [])
        yield* gaps.compare(new Map([[day, 1]]))
        assert.deepStrictEqual((yield* gaps.days).map(({ stored }) => stored), [1])
      })
    ))

  it.live("opens no second gap at the same count when its list was compared, and one when more come late", () =>
    withGaps((gaps) =>
      Effect.gen(function*() {
        yield* listeningSince(3)
        const day = dayOf(2)
        assert.strictEqual(yield* gaps.compare(new Map([[day, 5]])), 1)
        assert.strictEqual(yield* gaps.compare(new Map([[day, 5]])), 0)
        assert.isFalse(yield* gaps.close(day, new Date(Date.now() + 1000)))
        assert.strictEqual(yield* gaps.compare(new Map([[day, 5]])), 0)
        assert.strictEqual(yield* gaps.compare(new Map([[day, 6]])), 1)
      })
    ))
})

describe.concurrent("a gap", () => {
  it.live("is not closed by a list that was asked for before it opened", () =>
    withGaps((gaps) =>
      Effect.gen(function*() {
        const askedAt = new Date(Date.now() - 1000)
        yield* listeningSince(3)
        yield* gaps.compare(new Map([[dayOf(2), 5]]))
        yield* gaps.note(dayOf(2), 3)
        assert.isFalse(yield* gaps.close(dayOf(2), askedAt))
        assert.strictEqual((yield* gaps.open).length, 1)
        assert.isTrue(yield* gaps.close(dayOf(2), new Date(Date.now() + 1000)))
        assert.deepInclude((yield* gaps.list)[0], { feed: "zkillboard", reason: "short", day: dayOf(2), found: 3 })
        assert.isNotNull((yield* gaps.list)[0]!.closed_at)
      })
    ))

  it.live("lacks what is neither here, nor in the queue, nor refused for good", () =>
    withGaps((gaps) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const [here, queued, refused, failed, absent] = [1, 2, 3, 4, 5].map((k) => {
          const killmail = mailOf("gaps", k)
          const ref = { killmail_id: killmail.killmail_id, hash: hashOf(killmail) }
          return { ...ref, key: keyOf(ref) }
        }) as [Ref, Ref, Ref, Ref, Ref]
        yield* storeOne(1, dayOf(1))
        yield* FeedStore.use((feeds) => feeds.hearFrom("zkillboard", [hearingOf("zkillboard", "repair", queued)]))
        for (const [{ key }, reason] of [[refused, "not_found"], [failed, "esi_unavailable"]] as const) {
          yield* sql`
            insert into dead_letters (task, key, payload, reason, error, attempts)
            values ('ingest_killmail', ${key}, '{}', ${reason}, '', 3)`
        }
        assert.deepStrictEqual(yield* gaps.missing([here, queued, refused, failed, absent]), {
          absent: new Set([failed.killmail_id, absent.killmail_id]),
          coming: 1
        })
      })
    ))
})

interface Ref {
  readonly killmail_id: number
  readonly hash: string
  readonly key: string
}
