import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Queue, Redacted } from "effect"
import type { SqlError } from "effect/sql"
import { LiveKillmails } from "../../src/broadcast/LiveKillmails.ts"
import { JobQueue } from "../../src/jobs/JobQueue.ts"
import { StaticData } from "../../src/static-data/StaticData.ts"
import * as Database from "../../src/store/Database.ts"
import { KillmailReader } from "../../src/store/KillmailReader.ts"
import { KillmailStore, publicationsChannel } from "../../src/store/KillmailStore.ts"
import { Listening } from "../../src/store/Listening.ts"
import { Names } from "../../src/store/Names.ts"
import { Revaluations } from "../../src/store/Revaluations.ts"
import { StaticDataStore } from "../../src/store/StaticDataStore.ts"
import { mailOf, newKillmail } from "../support/Mails.ts"
import { withStores } from "../support/Stores.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"

/** No NOTIFY ever comes. */
const deafForEver = Layer.succeed(Listening, { listen: () => Queue.unbounded<never, SqlError.SqlError>() })

describe("a listening connection that lives and hears nothing", () => {
  it.live("is given up for another when a NOTIFY of our own does not come back", () =>
    Effect.gen(function*() {
      const { url } = yield* migratedDatabase
      const again = yield* Deferred.make<ReadonlyArray<string>>()
      const channels: Array<string> = []
      const deaf = Layer.effect(
        Listening,
        Effect.map(Listening, ({ listen }) =>
          Listening.of({
            listen: (channel) => {
              if (channels.push(channel) === 1) return Queue.unbounded<never, SqlError.SqlError>()
              Deferred.doneUnsafe(again, Effect.succeed(channels))
              return listen(channel)
            }
          }))
      ).pipe(Layer.provide(Listening.layer))
      yield* Layer.build(
        LiveKillmails.layer.pipe(
          Layer.provide([KillmailReader.layer, Revaluations.layer, Names.layer, StaticData.layer, deaf]),
          Layer.provide([StaticDataStore.layer, JobQueue.layer]),
          Layer.provide(Database.layer(Redacted.make(url)))
        )
      )
      assert.deepStrictEqual(yield* Deferred.await(again), [publicationsChannel, publicationsChannel])
    }), 90_000)
  it.live(
    "is made up for by looking: what is published is told all the same",
    () =>
      withStores(() =>
        Effect.gen(function*() {
          const store = yield* KillmailStore
          const live = yield* LiveKillmails
          const told = yield* Deferred.make<number>()
          live.listen(({ sequence }) => Deferred.doneUnsafe(told, Effect.succeed(sequence)))
          yield* store.append([newKillmail(mailOf("deaf", 1))])
          assert.strictEqual(yield* Deferred.await(told), 1)
        }).pipe(Effect.provide(Layer.provide(LiveKillmails.layer, deafForEver)))
      ),
    15_000
  )
})
