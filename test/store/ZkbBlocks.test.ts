import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { SqlClient } from "effect/sql"
import { type Heard, hearingOf } from "../../src/intake/Hearing.ts"
import { FeedStore } from "../../src/store/FeedStore.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { Leases } from "../../src/store/Leases.ts"
import { mailOf, newKillmail } from "../support/Mails.ts"
import { withStores } from "../support/Stores.ts"

const mail = mailOf("blocks", 1)
const { hash } = newKillmail(mail)

/** The feed names the mail, with these words of zKillboard. */
const hear = (feed: string, zkb: unknown, body?: unknown) =>
  Effect.scoped(Effect.gen(function*() {
    const heard: Heard = { killmail_id: mail.killmail_id, hash, zkb, ...(body === undefined ? {} : { body }) }
    const lease = yield* (yield* Leases).acquire(feed)
    return yield* (yield* FeedStore).hear(lease, [hearingOf(feed, "live", heard)], 1)
  }))

const store = (zkb?: unknown) =>
  Effect.flatMap(KillmailStore, (killmails) => killmails.append([newKillmail(mail, { zkb })]))

const block = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => Effect.map(sql<{ zkb: unknown }>`select zkb from killmails`, ([row]) => row?.zkb)
)

const waiting = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.map(
    sql<
      { payload: { body?: unknown; zkb?: unknown } }
    >`select payload from graphile_worker._private_jobs where key like 'killmail:%'`,
    (rows) => rows.map(({ payload }) => payload)
  ))

describe.concurrent("zKillboard's block of a stored killmail", () => {
  it.live("is replaced by what R2Z2 says later, and causes no job", () =>
    withStores(() =>
      Effect.gen(function*() {
        yield* store({ points: 1 })
        assert.strictEqual(yield* hear("r2z2", { points: 2, labels: ["ganked", "\0"] }), 0)
        assert.deepStrictEqual(yield* block, { points: 2, labels: ["ganked", "\ufffd"] })
        assert.deepStrictEqual(yield* waiting, [])
      })
    ))

  it.live("is kept against other feeds, which only fill in what nobody said, and against silence", () =>
    withStores(() =>
      Effect.gen(function*() {
        yield* store()
        yield* hear("redisq", { points: 1 })
        assert.deepStrictEqual(yield* block, { points: 1 })
        yield* hear("redisq", { points: 2 })
        for (const nothing of [undefined, null]) yield* hear("r2z2", nothing)
        assert.deepStrictEqual(yield* block, { points: 1 })
      })
    ))

  it.live("is filled in by a job that comes second", () =>
    withStores(() =>
      Effect.gen(function*() {
        yield* store()
        assert.deepStrictEqual(yield* store({ points: 1 }), [{ outcome: "known" }])
        yield* store({ points: 2 })
        assert.deepStrictEqual(yield* block, { points: 1 })
      })
    ))

  it.live("is written once, however often it is named", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* store({ points: 1, npc: false })
        const version = Effect.map(sql`select xmin::text from killmails`, ([row]) => row)
        const before = yield* version
        yield* hear("r2z2", { npc: false, points: 1 })
        assert.deepStrictEqual(yield* version, before)
      })
    ))
})

describe.concurrent("zKillboard's words and ours", () => {
  it.live("are counted where they agree and where not, each time that zKillboard's change", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* store({ points: 1 })
        yield* sql`
          update killmails
          set valuation_version = 1, is_npc = false, is_solo = true, is_awox = false, points = 3, total_value = 100,
            unpriced_items = 1, labels = '{pvp}'`
        yield* hear("r2z2", { solo: true, points: 2, totalValue: 500 })
        const page = yield* PrometheusMetrics.format()
        for (
          const [field, verdict] of [["solo", "agree"], ["points", "differ"], ["total_value", "unpriced"]] as const
        ) {
          assert.include(page, `killmaild_agreement_total{field="${field}",verdict="${verdict}"} 1`)
        }
      })
    ))
})

describe.concurrent("zKillboard's block of a killmail that waits to be stored", () => {
  it.live("is the one that R2Z2 told last, with the body that came before", () =>
    withStores(() =>
      Effect.gen(function*() {
        yield* hear("r2z2", { points: 1 }, mail)
        assert.strictEqual(yield* hear("r2z2", { points: 2 }, mail), 0)
        assert.deepStrictEqual((yield* waiting).map(({ body, zkb }) => ({ body, zkb })), [
          { body: mail, zkb: { points: 2 } }
        ])
        yield* hear("redisq", { points: 3 }, mail)
        assert.deepStrictEqual((yield* waiting).map(({ zkb }) => zkb), [{ points: 2 }])
      })
    ))
})
