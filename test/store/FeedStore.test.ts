import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Option, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { type Heard, hearingOf } from "../../src/intake/Hearing.ts"
import type { Tier } from "../../src/jobs/Job.ts"
import { FeedStore } from "../../src/store/FeedStore.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { type Lease, Leases } from "../../src/store/Leases.ts"
import { mailOf, newKillmail } from "../support/Mails.ts"
import { replicaOn, type Stores, withStores } from "../support/Stores.ts"
import { oneWaitsForAnother } from "../support/TestDaemon.ts"

const heardOf = (killmail: Killmail, rest: Partial<Heard> = {}): Heard => ({
  killmail_id: killmail.killmail_id,
  hash: newKillmail(killmail).hash,
  ...rest
})

const hearing = (source: string, heard: Heard, tier: Tier = "live") => hearingOf(source, tier, heard)

interface Queued {
  readonly key: string
  readonly priority: number
  readonly payload: { readonly body?: unknown; readonly zkb?: unknown; readonly source: string }
}

const queued = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  sql<Queued>`
    select key, priority::int, payload
    from graphile_worker._private_jobs
    where key like 'killmail:%'
    order by key`)

const sightings = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) =>
    sql<{ killmail_id: string; source: string }>`
      select killmail_id::text, source from sightings order by killmail_id, source`
)

/** As a feed that leads. */
const withFeed = <A, E>(
  test: (feed: { readonly feeds: FeedStore["Service"]; readonly lease: Lease; readonly url: string }) => Effect.Effect<
    A,
    E,
    Stores | Scope.Scope
  >
) =>
  withStores((url) =>
    Effect.gen(function*() {
      const lease = yield* (yield* Leases).acquire("r2z2")
      return yield* test({ feeds: yield* FeedStore, lease, url })
    })
  )

describe.concurrent("a feed that hears of killmails", () => {
  it.live("moves its cursor and adds the jobs, and tells where it is", () =>
    withFeed(({ feeds, lease }) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* feeds.cursor("r2z2"), Option.none())
        assert.strictEqual(yield* feeds.hear(lease, [], 41), 0)
        assert.deepStrictEqual((yield* feeds.status).map(({ heard_at }) => heard_at), [null])
        const mails = [1, 2, 3].map((k) => mailOf("hears", k))
        const heard = mails.map((mail) => hearing("r2z2", heardOf(mail, { body: mail, zkb: { points: 1 } })))
        assert.strictEqual(yield* feeds.hear(lease, heard, 45), 3)
        assert.deepStrictEqual(yield* feeds.cursor("r2z2"), Option.some(45))
        const jobs = yield* queued
        assert.deepStrictEqual(
          jobs.map(({ key, payload, priority }) => ({ key, priority, payload })).toSorted((a, b) =>
            a.key < b.key ? -1 : 1
          ),
          heard.map(({ key, payload }) => ({ key, priority: 0, payload: payload as Queued["payload"] }))
            .toSorted((a, b) => a.key < b.key ? -1 : 1)
        )
        assert.deepStrictEqual((yield* sightings).map(({ source }) => source), ["r2z2", "r2z2", "r2z2"])
        const [status] = yield* feeds.status
        assert.strictEqual(status!.feed, "r2z2")
        assert.strictEqual(status!.cursor, 45)
        assert.isString(status!.leader)
        assert.instanceOf(status!.heard_at, Date)
        // Without a cursor of its own to move it keeps the one it has.
        yield* feeds.hear(lease, [], undefined)
        assert.deepStrictEqual(yield* feeds.cursor("r2z2"), Option.some(45))
      })
    ))

  it.live("moves no cursor without its job, and adds no job without its cursor", () =>
    withFeed(({ feeds, lease }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* feeds.hear(lease, [], 41)
        const mail = mailOf("atomic", 1)
        const broken = { ...hearing("r2z2", heardOf(mail)), killmail_id: Number.NaN }
        assert.isTrue(
          Exit.isFailure(yield* Effect.exit(feeds.hear(lease, [hearing("r2z2", heardOf(mail)), broken], 43)))
        )
        yield* feeds.hear(lease, [hearing("r2z2", heardOf(mail))], 43).pipe(
          Effect.andThen(Effect.fail("the process died")),
          sql.withTransaction,
          Effect.ignore
        )
        assert.deepStrictEqual(yield* feeds.cursor("r2z2"), Option.some(41))
        assert.deepStrictEqual(yield* queued, [])
        assert.deepStrictEqual(yield* sightings, [])
      })
    ))

  it.live("writes nothing once its lease has passed to another", () =>
    withFeed(({ feeds, lease }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* feeds.hear(lease, [], 41)
        yield* sql`update leases set term = term + 1`
        const heard = yield* Effect.flip(feeds.hear(lease, [hearing("r2z2", heardOf(mailOf("lost", 1)))], 42))
        assert.strictEqual(heard._tag, "LeaseLost")
        const skipped = { reason: "undecodable", error: "?", entry: { key: "r2z2:42", text: "?" } }
        assert.strictEqual((yield* Effect.flip(feeds.skip(lease, skipped, 43)))._tag, "LeaseLost")
        assert.deepStrictEqual(yield* feeds.cursor("r2z2"), Option.some(41))
        assert.deepStrictEqual(yield* queued, [])
        assert.deepStrictEqual(yield* sightings, [])
        assert.deepStrictEqual(yield* sql`select from dead_letters`, [])
        assert.deepStrictEqual(yield* sql`select from gaps`, [])
      })
    ))

  it.live("opens a gap for each day in which killmails may have been published that it steps over", () =>
    withFeed(({ feeds, lease }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        // Days are UTC's, wherever the session is.
        yield* sql`select set_config('timezone', 'Asia/Kathmandu', false)`
        yield* feeds.hear(lease, [], 41)
        yield* sql`update feed_cursors set heard_at = '2026-03-01T00:05:00Z'`
        const numbers = { from: 41, to: 900 }
        const until = Date.parse("2026-03-02T23:59:00Z")
        yield* feeds.skip(lease, { reason: "hole", error: "they are not there", numbers, until }, 900)
        const gap = { feed: "r2z2", reason: "hole", from_cursor: 41, to_cursor: 900, closed_at: null, found: 0 }
        assert.deepStrictEqual(
          yield* sql`
            select feed, reason, from_cursor::int, to_cursor::int, day::text, closed_at, found from gaps order by day`,
          ["2026-02-28", "2026-03-01", "2026-03-02"].map((day) => ({ ...gap, day }))
        )
        // What came after the hole was a while ago, too.
        yield* feeds.hear(lease, [hearing("r2z2", heardOf(mailOf("after", 1)))], 901)
        const [downtime] = yield* sql`
          select min(day)::text as first, max(day) = (now() at time zone 'UTC')::date as "isUntilToday",
            min(from_cursor)::int as cursor, min(since) = '2026-03-02T23:59:00Z' as "isSinceThen"
          from gaps where reason = 'downtime'`
        assert.deepStrictEqual(downtime, { first: "2026-03-02", isUntilToday: true, cursor: 900, isSinceThen: true })
      })
    ))

  it.live("opens no gap as long as it hears of killmails now and then", () =>
    withFeed(({ feeds, lease }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        for (const cursor of [1, 2]) {
          yield* feeds.hear(lease, [hearing("r2z2", heardOf(mailOf("now and then", cursor)))], cursor)
          yield* sql`update feed_cursors set heard_at = heard_at - interval '14 minutes'`
        }
        yield* feeds.hear(lease, [], 3)
        assert.deepStrictEqual(yield* sql`select from gaps`, [])
      })
    ))

  it.live("keeps what it cannot read, once, whatever characters are in it", () =>
    withFeed(({ feeds, lease }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const entry = { key: "r2z2:42", text: "<\0 \ud800 \\u0000>" }
        const skipped = { reason: "undecodable", error: "not \0 this", entry }
        yield* feeds.skip(lease, skipped, 43)
        yield* feeds.skip(lease, skipped, 43)
        assert.deepStrictEqual(yield* sql`select key, payload, reason, error, attempts from dead_letters`, [{
          key: "r2z2:42",
          payload: entry.text,
          reason: "undecodable",
          error: "not \ufffd this",
          attempts: 2
        }])
        assert.deepStrictEqual(yield* feeds.cursor("r2z2"), Option.some(43))
      })
    ))

  it.live("hears of killmails with characters that Postgres' JSON cannot hold, again and again", () =>
    withFeed(({ feeds, lease }) =>
      Effect.gen(function*() {
        const mail = mailOf("odd", 1)
        const heard = heardOf(mail, { body: { ...mail, remark: "\0 \ud800" }, zkb: { "\0": "\\u0000" } })
        for (const tier of ["user", "live"] as const) {
          const jobs = yield* Effect.option(feeds.hear(lease, [hearing("r2z2", heard, tier)], 1))
          assert.deepStrictEqual(jobs, Option.some(1))
        }
        assert.deepStrictEqual((yield* queued).map(({ payload: { body, zkb } }) => ({ body, zkb })), [
          { body: { ...mail, remark: "\ufffd \ufffd" }, zkb: { "\ufffd": "\\u0000" } }
        ])
      })
    ))

  it.live("lines up what a backfill has to ask ESI for at the pace that ESI allows, until somebody wants it sooner", () =>
    withFeed(({ feeds, lease }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const bare = [1, 2, 3, 4].map((k) => mailOf("line", k))
        const brought = mailOf("line", 5)
        const old = bare.map((mail) => hearing("r2z2", heardOf(mail), "backfill"))
        yield* feeds.hear(lease, old.slice(0, 2), 1)
        yield* feeds.hear(lease, [...old.slice(2), hearing("r2z2", heardOf(brought, { body: brought }), "backfill")], 2)
        const due = sql<{ id: number; millis: number }>`
          select (payload->>'killmail_id')::float8 as id,
            extract(epoch from run_at - min(run_at) over ())::float8 * 1000 as millis
          from graphile_worker._private_jobs order by run_at`
        const pauses = (yield* due).filter(({ id }) => id !== brought.killmail_id).map(({ millis }) => millis)
        const isDue = (mail: Killmail) =>
          sql`select from graphile_worker._private_jobs
            where payload->>'killmail_id' = ${String(mail.killmail_id)} and run_at <= clock_timestamp()`
        // 3600 tokens in 15 minutes, 2 a killmail, nine tenths of it.
        const step = 900_000 / 1620
        for (const [index, millis] of pauses.entries()) {
          assert.isAtLeast(millis, pauses[0]! + index * step - 1)
          assert.isAtMost(millis, pauses[0]! + index * step + 500)
        }
        assert.deepStrictEqual([(yield* isDue(brought)).length, (yield* isDue(bare[3]!)).length], [1, 0])
        yield* feeds.hear(lease, [hearing("r2z2", heardOf(bare[3]!), "live")], 3)
        assert.strictEqual((yield* isDue(bare[3]!)).length, 1)
      })
    ))
  it.live("adds no job for a killmail that is stored", () =>
    withFeed(({ feeds, lease }) =>
      Effect.gen(function*() {
        const store = yield* KillmailStore
        const [known, fresh] = [1, 2].map((k) => mailOf("known", k)) as [Killmail, Killmail]
        yield* store.append([newKillmail(known)])
        const heard = [known, fresh].map((mail) => hearing("r2z2", heardOf(mail, { body: mail })))
        assert.strictEqual(yield* feeds.hear(lease, heard, 42), 1)
        assert.deepStrictEqual((yield* queued).map(({ key }) => key), [heard[1]!.key])
        assert.strictEqual((yield* sightings).length, 2)
        assert.isTrue((yield* feeds.endOf(known.killmail_id, heard[0]!.key))?.stored)
        assert.isUndefined(yield* feeds.endOf(fresh.killmail_id, heard[1]!.key))
      })
    ))
})

describe.concurrent("of several hearings of one killmail", () => {
  const mail = mailOf("several", 1)
  const bare = heardOf(mail)
  const whole = heardOf(mail, { body: mail, zkb: { points: 7 } })

  for (
    const [order, first, second] of [
      ["the body came first", whole, bare],
      ["the body came second", bare, whole],
      ["the second says that there is no body", whole, heardOf(mail, { body: null, zkb: null })],
      ["the first says that there is no body", heardOf(mail, { body: null, zkb: null }), whole]
    ] as const
  ) {
    it.live(`one job remains, with the body: ${order}`, () =>
      withFeed(({ feeds, lease }) =>
        Effect.gen(function*() {
          yield* feeds.hear(lease, [hearing("r2z2", first)], 1)
          yield* feeds.hearByHand(hearing("manual", second))
          const jobs = yield* queued
          assert.strictEqual(jobs.length, 1)
          assert.deepStrictEqual(jobs[0]!.payload.body, mail)
          assert.deepStrictEqual(jobs[0]!.payload.zkb, { points: 7 })
          assert.strictEqual(jobs[0]!.payload.source, "r2z2")
          assert.deepStrictEqual((yield* sightings).map(({ source }) => source), ["manual", "r2z2"])
        })
      ))

    it.live(`one job remains, with the body, when they come together: ${order}`, () =>
      withFeed(({ feeds, lease }) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* feeds.hear(lease, [hearing("r2z2", first), hearing("r2z2", second)], 1), 1)
          const jobs = yield* queued
          assert.strictEqual(jobs.length, 1)
          assert.deepStrictEqual(jobs[0]!.payload.body, mail)
          assert.strictEqual((yield* sightings).length, 2)
        })
      ))
  }

  it.live("a body survives every order of three, and the lowest priority number wins", () =>
    withStores(() =>
      Effect.gen(function*() {
        const feeds = yield* FeedStore
        const sql = yield* SqlClient.SqlClient
        const parts = [
          hearing("a", bare, "repair"),
          hearing("b", bare, "live"),
          hearing("c", whole, "user")
        ] as const
        const orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] as const
        for (const order of orders) {
          yield* sql`delete from graphile_worker._private_jobs`
          for (const index of order) yield* feeds.hearByHand(parts[index])
          const [job, ...others] = yield* queued
          assert.deepStrictEqual(others, [])
          assert.strictEqual(job!.priority, 0, order.join())
          assert.deepStrictEqual(job!.payload.body, mail, order.join())
          assert.strictEqual(job!.payload.source, parts[order[0]].payload["source" as never], order.join())
        }
      })
    ))

  it.live("one job remains, with the body, when many replicas hear them at once", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const replicas = yield* Effect.forEach([1, 2], () => replicaOn(url), { concurrency: 2 })
        for (let round = 0; round < 10; round++) {
          const mail = mailOf("at-once", round)
          yield* Effect.all(
            Array.from({ length: 8 }, (_, k) =>
              Context.get(replicas[k % 2]!, FeedStore).hearFrom("r2z2", [
                hearing("r2z2", k === round % 8 ? heardOf(mail, { body: mail }) : heardOf(mail))
              ])),
            { concurrency: "unbounded" }
          )
        }
        const jobs = yield* queued
        assert.strictEqual(jobs.length, 10)
        for (const { payload } of jobs) assert.isObject(payload.body)
        assert.strictEqual((yield* sightings).length, 80)
      })
    ))

  it.live("the second waits for the first one's transaction, and sees its job", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const feeds = yield* FeedStore
        const other = yield* replicaOn(url)
        const sqlOther = Context.get(other, SqlClient.SqlClient)
        const heard = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        const slow = yield* Effect.forkChild(
          Context.get(other, FeedStore).hearFrom("slow", [hearing("slow", bare)]).pipe(
            Effect.andThen(Deferred.succeed(heard, undefined)),
            Effect.andThen(Deferred.await(goOn)),
            sqlOther.withTransaction
          )
        )
        yield* Deferred.await(heard)
        const quick = yield* Effect.forkChild(feeds.hearFrom("quick", [hearing("quick", whole)]))
        yield* oneWaitsForAnother
        yield* Deferred.succeed(goOn, undefined)
        yield* Fiber.join(slow)
        assert.strictEqual(yield* Fiber.join(quick), 1)
        assert.deepStrictEqual((yield* queued).map(({ payload }) => payload.body), [mail])
      })
    ))

  it.live("another hash makes another job", () =>
    withStores(() =>
      Effect.gen(function*() {
        const feeds = yield* FeedStore
        yield* feeds.hearByHand(hearing("a", bare))
        yield* feeds.hearByHand(hearing("b", { ...bare, hash: "0".repeat(40) }))
        assert.strictEqual((yield* queued).length, 2)
      })
    ))

  it.live("a body that comes while the job runs without one makes a new job, and a bare hearing none", () =>
    withStores(() =>
      Effect.gen(function*() {
        const feeds = yield* FeedStore
        const sql = yield* SqlClient.SqlClient
        yield* feeds.hearByHand(hearing("a", bare, "user"))
        yield* sql`update graphile_worker._private_jobs set locked_at = now(), locked_by = 'somebody', attempts = 1`
        assert.strictEqual(yield* feeds.hearByHand(hearing("b", bare, "live")), 0)
        assert.strictEqual((yield* queued).length, 1)
        assert.strictEqual(yield* feeds.hearByHand(hearing("c", whole)), 1)
        const free = yield* sql<{ payload: Queued["payload"] }>`
          select payload from graphile_worker._private_jobs where locked_at is null`
        assert.deepStrictEqual(free.map(({ payload }) => payload.body), [mail])
      })
    ))
})

describe.concurrent("a killmail that ESI refused for good", () => {
  const mail = mailOf("refused-for-good", 1)
  const bury = (reason: string) =>
    Effect.flatMap(
      SqlClient.SqlClient,
      (sql) =>
        sql`insert into dead_letters (task, key, payload, reason, error, attempts)
          values ('ingest_killmail', ${hearing("", heardOf(mail)).key}, '{}', ${reason}, 'no such mail', 1)
          on conflict (task, key) do update set reason = excluded.reason`
    )

  it.live("is not queued again, unless its body comes along", () =>
    withStores(() =>
      Effect.gen(function*() {
        const feeds = yield* FeedStore
        const { key } = hearing("", heardOf(mail))
        for (const reason of ["not_found", "hash_mismatch"]) {
          yield* bury(reason)
          assert.isTrue(yield* feeds.isRefused(key))
          assert.strictEqual(yield* feeds.hearByHand(hearing("a", heardOf(mail))), 0)
          assert.strictEqual(yield* feeds.hearByHand(hearing("a", heardOf(mail, { body: null }))), 0)
        }
        assert.deepStrictEqual(yield* queued, [])
        assert.deepStrictEqual(yield* feeds.endOf(mail.killmail_id, key), { stored: false, error: "no such mail" })
        assert.strictEqual(yield* feeds.hearByHand(hearing("a", heardOf(mail, { body: mail }))), 1)
      })
    ))

  it.live("is queued again when it failed for another reason", () =>
    withStores(() =>
      Effect.gen(function*() {
        const feeds = yield* FeedStore
        yield* bury("esi_unavailable")
        assert.isFalse(yield* feeds.isRefused(hearing("", heardOf(mail)).key))
        assert.strictEqual(yield* feeds.hearByHand(hearing("a", heardOf(mail))), 1)
      })
    ))
})
