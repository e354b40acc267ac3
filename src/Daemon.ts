/** The whole daemon on one page: every room's layer, in the order a killmail meets them. */
import { NodeHttpClient } from "@effect/platform-node"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import { join } from "node:path"
import { AdminToken } from "./api/AdminToken.ts"
import { Readiness } from "./api/Health.ts"
import { Server } from "./api/Server.ts"
import { WebSocketServer } from "./api/WebSocketServer.ts"
import { LiveKillmails } from "./broadcast/LiveKillmails.ts"
import { Esi } from "./esi/Esi.ts"
import * as Feed from "./feeds/Feed.ts"
import * as R2z2 from "./feeds/R2z2.ts"
import * as Redisq from "./feeds/Redisq.ts"
import * as Housekeeping from "./Housekeeping.ts"
import { ingestKillmail } from "./intake/IngestKillmail.ts"
import { Recorder } from "./intake/Recorder.ts"
import { Submissions } from "./intake/Submissions.ts"
import { JobQueue } from "./jobs/JobQueue.ts"
import * as JobRunner from "./jobs/JobRunner.ts"
import * as EmbeddedPostgres from "./postgres/EmbeddedPostgres.ts"
import { Settings, upstreamOf, userAgentFor } from "./Settings.ts"
import { CachedData } from "./store/CachedData.ts"
import * as Database from "./store/Database.ts"
import { FeedStore } from "./store/FeedStore.ts"
import { KillmailReader } from "./store/KillmailReader.ts"
import { KillmailStore } from "./store/KillmailStore.ts"
import { Leases } from "./store/Leases.ts"
import { Maintenance } from "./store/Maintenance.ts"
import { RateLimits } from "./store/RateLimits.ts"

export const roles = ["feeds", "jobs", "api"] as const
export type Role = typeof roles[number]

/** Where Postgres is: as set, or the embedded one, which this layer then runs. */
export class DatabaseUrl extends Context.Service<DatabaseUrl, Redacted.Redacted>()("killmaild/DatabaseUrl") {
  static readonly layer = Layer.effect(
    DatabaseUrl,
    Effect.gen(function*() {
      const { databaseUrl, dataDir } = yield* Settings
      if (Option.isSome(databaseUrl)) return databaseUrl.value
      const { url } = yield* EmbeddedPostgres.start({ directory: embeddedDirectory(dataDir) })
      return Redacted.make(url)
    })
  )
}

export const embeddedDirectory = (dataDir: string): string => join(dataDir, "postgres")

const database = Layer.unwrap(Effect.map(DatabaseUrl, Database.layer))

/** The schema is at this program's version before anything else looks at it. */
const migrated = Layer.effectDiscard(Effect.flatMap(DatabaseUrl, Database.migrate)).pipe(Layer.provideMerge(database))

const stores = Layer.mergeAll(
  KillmailStore.layer,
  KillmailReader.layer,
  FeedStore.layer,
  Leases.layer,
  RateLimits.layer,
  CachedData.layer,
  Maintenance.layer,
  JobQueue.layer
)

const sources = { r2z2: Feed.layer(R2z2.source), redisq: Feed.layer(Redisq.source) }

const feeds = Layer.unwrap(Effect.gen(function*() {
  const settings = yield* Settings
  // A feed that must not be asked stops the start, rather than being silent for ever.
  for (const name of settings.feeds) yield* userAgentFor(settings, upstreamOf(settings, name))
  return Layer.mergeAll(Layer.empty, ...settings.feeds.map((name) => sources[name]))
}))

const jobs = Layer.unwrap(Effect.gen(function*() {
  const { concurrency } = yield* Settings
  const url = yield* DatabaseUrl
  type Needs = JobRunner.Services<typeof ingestKillmail | typeof Housekeeping.handlers[number]>
  return JobRunner.layer<Needs>(url, [
    { handlers: [ingestKillmail], concurrency, fetchAhead: concurrency * 2, recorded: false },
    { handlers: Housekeeping.handlers, concurrency: 4, fetchAhead: 0, recorded: true }
  ])
})).pipe(Layer.provide(Recorder.layer), Layer.provide(Esi.layer))

const api = Server.layer.pipe(
  Layer.provide(WebSocketServer.layer),
  Layer.provideMerge(LiveKillmails.layer),
  Layer.provide([AdminToken.layer, Submissions.layer])
)

/** Postgres with its schema, and the stores on it: what commands that only look or ask need. */
export const storesOn = <E, R>(url: Layer.Layer<DatabaseUrl, E, R>) =>
  stores.pipe(Layer.provideMerge(migrated), Layer.provideMerge(url))

/** The room, which tells `/health/ready` once it is there. */
const telling = <A, E, R>(role: Role, room: Layer.Layer<A, E, R>) =>
  Layer.effectDiscard(Readiness.use(({ started }) => started(role))).pipe(Layer.provideMerge(room))

const rooms = { feeds: telling("feeds", feeds), jobs: telling("jobs", jobs), api: telling("api", api) }

const foundation = (wanted: ReadonlyArray<Role>) =>
  Readiness.layerFor(wanted).pipe(
    Layer.provideMerge(storesOn(DatabaseUrl.layer)),
    Layer.provideMerge(NodeHttpClient.layerUndici)
  )

/** All roles, for as long as the layer lives; Postgres stops last. */
export const whole = Layer.mergeAll(rooms.feeds, rooms.jobs, rooms.api).pipe(Layer.provideMerge(foundation(roles)))

/** Some of the roles: several processes may share the work. */
export const layer = (wanted: ReadonlyArray<Role>) =>
  Layer.mergeAll(Layer.empty, ...wanted.map((role) => rooms[role])).pipe(Layer.provide(foundation(wanted)))
