import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Option, Schedule, Scope } from "effect"
import { SqlClient } from "effect/sql"
import { FeedStore } from "../../src/store/FeedStore.ts"
import { Leases } from "../../src/store/Leases.ts"
import { replicaOn, withStores } from "../support/Stores.ts"
import { eventually } from "../support/TestDaemon.ts"

/** Tries until it leads, as a feed does every 2 s. */
const acquireEventually = (leases: Leases["Service"], name: string) =>
  leases.acquire(name).pipe(
    Effect.retry({ while: (error) => error._tag === "LeaseHeld", schedule: Schedule.spaced("20 millis") })
  )

describe.concurrent("a lease", () => {
  it.live("is held by one replica, until its scope closes; each holder has a higher term", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const mine = yield* Leases
        const theirs = Context.get(yield* replicaOn(url), Leases)
        const scope = yield* Scope.make()
        const first = yield* Scope.provide(mine.acquire("r2z2"), scope)
        assert.strictEqual(first.term, 1)
        assert.strictEqual((yield* Effect.flip(theirs.acquire("r2z2")))._tag, "LeaseHeld")
        // Of the same replica too: its sessions are different ones.
        assert.strictEqual((yield* Effect.flip(mine.acquire("r2z2")))._tag, "LeaseHeld")
        assert.strictEqual((yield* theirs.acquire("redisq")).term, 1)
        yield* Scope.close(scope, Exit.void)
        const second = yield* theirs.acquire("r2z2")
        assert.strictEqual(second.term, 2)
        assert.strictEqual((yield* Effect.flip(mine.acquire("r2z2")))._tag, "LeaseHeld")
      })
    ))

  it.live("is free at once when its holder's session ends, and the holder learns of it", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const theirs = Context.get(yield* replicaOn(url), Leases)
        const lease = yield* (yield* Leases).acquire("r2z2")
        const lost = yield* Effect.forkChild(Effect.exit(lease.lost))
        yield* sql`
          select pg_terminate_backend(pid) from pg_stat_activity join leases using (application_name)
          where pid <> pg_backend_pid()`
        const next = yield* acquireEventually(theirs, "r2z2")
        assert.strictEqual(next.term, 2)
        assert.isTrue(Exit.isFailure(yield* Fiber.join(lost)))
      })
    ))

  it.live("of a frozen holder is taken over once it has expired, and what the holder then writes is void", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const other = yield* replicaOn(url)
        const theirs = Context.get(other, Leases)
        const theirFeeds = Context.get(other, FeedStore)
        const theirSql = Context.get(other, SqlClient.SqlClient)
        const frozen = yield* (yield* Leases).acquire("r2z2")
        const feeds = yield* FeedStore
        yield* feeds.hear(frozen, [], 1)
        const began = yield* Deferred.make<void>()
        const transaction = yield* Effect.forkChild(Effect.exit(sql.withTransaction(Effect.gen(function*() {
          yield* sql`select pg_advisory_xact_lock(hashtext('killmaild:hearing'))`
          yield* Deferred.succeed(began, undefined)
          yield* Effect.sleep("2 seconds")
          yield* sql`select 1`
        }))))
        yield* Deferred.await(began)

        // Not expired: whoever tries leaves it alone.
        assert.strictEqual((yield* Effect.flip(theirs.acquire("r2z2")))._tag, "LeaseHeld")
        assert.isNotEmpty(yield* theirSql`select from leases join pg_stat_activity using (application_name)`)

        yield* theirSql`update leases set expires_at = now() - interval '1 second'`
        assert.strictEqual((yield* Effect.flip(theirs.acquire("r2z2")))._tag, "LeaseHeld")
        const next = yield* acquireEventually(theirs, "r2z2")
        assert.strictEqual(next.term, 2)
        // Whatever else the frozen process had locked is free, too.
        yield* theirSql`select pg_advisory_xact_lock(hashtext('killmaild:hearing'))`
        yield* theirFeeds.hear(next, [], 2)
        assert.isTrue(Exit.isFailure(yield* Fiber.join(transaction)))
        const late = feeds.hear(frozen, [], 99).pipe(
          Effect.retry({ while: ({ _tag }) => _tag === "SqlError", times: 12 })
        )
        assert.strictEqual((yield* Effect.flip(late))._tag, "LeaseLost")
        assert.deepStrictEqual(yield* theirFeeds.cursor("r2z2"), Option.some(2))
        assert.isTrue(Exit.isFailure(yield* Effect.exit(frozen.lost)))
      })
    ))

  it.live("is renewed for as long as it is held", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const lease = yield* (yield* Leases).acquire("r2z2")
        yield* Effect.forkChild(lease.lost)
        yield* sql`update leases set expires_at = now() + interval '1 minute'`
        const [row] = yield* eventually(
          (sql) =>
            sql<{ left: number; term: number }>`
              select extract(epoch from expires_at - now())::float8 as left, term::int from leases`,
          ([row]) => row!.left < 11
        )
        assert.isAbove(row!.left, 6)
        assert.strictEqual(row!.term, 1)
      })
    ))
})
