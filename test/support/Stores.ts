/** A database of a test's own with the schema, and stores on it. */
import type { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { JobQueue } from "../../src/jobs/JobQueue.ts"
import { StaticData } from "../../src/static-data/StaticData.ts"
import { CharacterGroups } from "../../src/store/CharacterGroups.ts"
import * as Database from "../../src/store/Database.ts"
import { EntityReader } from "../../src/store/EntityReader.ts"
import { EntityStore } from "../../src/store/EntityStore.ts"
import { FeedStore } from "../../src/store/FeedStore.ts"
import { Gaps } from "../../src/store/Gaps.ts"
import { KillmailReader } from "../../src/store/KillmailReader.ts"
import { KillmailSearch } from "../../src/store/KillmailSearch.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { Leases } from "../../src/store/Leases.ts"
import { Listening } from "../../src/store/Listening.ts"
import { Maintenance } from "../../src/store/Maintenance.ts"
import { Names } from "../../src/store/Names.ts"
import { Revaluations } from "../../src/store/Revaluations.ts"
import { StaticDataStore } from "../../src/store/StaticDataStore.ts"
import { StatisticsStore } from "../../src/store/StatisticsStore.ts"
import { migratedDatabase } from "./TestDaemon.ts"

export type Stores = PgClient.PgClient | SqlClient.SqlClient | Layer.Success<typeof stores>

const stores = Layer.mergeAll(
  CharacterGroups.layer,
  EntityReader.layer,
  EntityStore.layer,
  FeedStore.layer,
  Gaps.layer,
  JobQueue.layer,
  KillmailReader.layer,
  KillmailSearch.layer,
  KillmailStore.layer,
  Leases.layer,
  Listening.layer,
  Maintenance.layer,
  Names.layer,
  Revaluations.layer,
  StaticData.layer.pipe(Layer.provide([StaticDataStore.layer, JobQueue.layer])),
  StatisticsStore.layer
)

/** Another replica's stores, with connections of their own: fresh, or the second replica would get the first one's. */
export const replicaOn = (url: string) =>
  Layer.build(Layer.fresh(Layer.provideMerge(stores, Database.layer(Redacted.make(url)))))

/** Runs the test on its database; `url` is for further replicas. */
export const withStores = <A, E>(test: (url: string) => Effect.Effect<A, E, Stores | Scope.Scope>) =>
  Effect.gen(function*() {
    const { url } = yield* migratedDatabase
    return yield* Effect.provide(test(url), yield* replicaOn(url))
  })
