import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Option, References } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import { TestClock } from "effect/testing"
import * as Feed from "../../src/feeds/Feed.ts"
import { FeedUnavailable } from "../../src/feeds/Upstream.ts"
import { withStores } from "../support/Stores.ts"

const quietly = Effect.provideService(References.MinimumLogLevel, "None")

describe.concurrent("a feed", () => {
  it.effect("stops listening when another takes over its lease", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const listening = yield* Deferred.make<void>()
        const stopped = yield* Deferred.make<void>()
        const source: Feed.Source<never> = {
          name: "toy",
          listen: () =>
            Deferred.succeed(listening, undefined).pipe(
              Effect.andThen(Effect.never),
              Effect.onInterrupt(() => Deferred.succeed(stopped, undefined))
            )
        }
        yield* Layer.build(Feed.layer(source))
        yield* Deferred.await(listening)
        yield* sql`update leases set term = term + 1`
        yield* TestClock.adjust("5 seconds")
        yield* Deferred.await(stopped)
      })
    ).pipe(quietly), 15_000)

  it.live("goes on from its cursor, whatever befell it", () =>
    withStores(() =>
      Effect.gen(function*() {
        const failures = [
          Effect.fail(new FeedUnavailable({ message: "no answer" })),
          Effect.die(new TypeError("nobody thought of this"))
        ]
        const cursors: Array<number | undefined> = []
        const over = yield* Deferred.make<void>()
        const source: Feed.Source<never> = {
          name: "toy",
          listen: ({ cursor, hear }) =>
            Effect.gen(function*() {
              const from = Option.getOrUndefined(yield* cursor)
              cursors.push(from)
              yield* hear([], (from ?? 0) + 1)
              yield* failures.shift() ?? Deferred.succeed(over, undefined)
              return yield* Effect.never
            })
        }
        yield* Layer.build(Feed.layer(source))
        yield* Deferred.await(over)
        assert.deepStrictEqual(cursors, [undefined, 1, 2])
      })
    ).pipe(quietly), 15_000)

  it.live(
    "is back soon after each loss of the database, however often that was",
    () =>
      withStores(() =>
        Effect.gen(function*() {
          const lost = new SqlError.SqlError({
            reason: new SqlError.ConnectionError({ cause: new Error("gone"), message: "gone" })
          })
          let losses = 0
          const over = yield* Deferred.make<void>()
          const source: Feed.Source<never> = {
            name: "toy",
            listen: () =>
              ++losses <= 5 ? Effect.fail(lost) : Effect.andThen(Deferred.succeed(over, undefined), Effect.never)
          }
          const began = performance.now()
          yield* Layer.build(Feed.layer(source))
          yield* Deferred.await(over)
          // Doubling from a second it would be 31.
          assert.isBelow(performance.now() - began, 10_000)
        })
      ).pipe(quietly),
    15_000
  )
})
