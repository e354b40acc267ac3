/** The whole daemon on one page: every room's layer, in the order a killmail meets them. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import { join } from "node:path"
import { AccessTokens } from "./accounts/AccessTokens.ts"
import { EncryptionKeys } from "./accounts/EncryptionKeys.ts"
import { SessionTokens } from "./accounts/SessionTokens.ts"
import { SignIn } from "./accounts/SignIn.ts"
import { Sso } from "./accounts/Sso.ts"
import { AdminToken } from "./api/AdminToken.ts"
import { ClientLimits } from "./api/ClientLimits.ts"
import { Graphql } from "./api/graphql/Graphql.ts"
import { Readiness } from "./api/Health.ts"
import { Server } from "./api/Server.ts"
import { WebSocketServer } from "./api/WebSocketServer.ts"
import { LiveKillmails } from "./broadcast/LiveKillmails.ts"
import * as Evekill from "./feeds/Evekill.ts"
import * as EvekillSocket from "./feeds/EvekillSocket.ts"
import * as Feed from "./feeds/Feed.ts"
import * as R2z2 from "./feeds/R2z2.ts"
import * as Redisq from "./feeds/Redisq.ts"
import { Appraiser } from "./intake/Appraiser.ts"
import { Submissions } from "./intake/Submissions.ts"
import * as Jobs from "./Jobs.ts"
import { Canary, missedMillis } from "./jobs/Canary.ts"
import { JobsProcess } from "./jobs/JobsProcess.ts"
import * as Lives from "./jobs/Lives.ts"
import * as EmbeddedPostgres from "./postgres/EmbeddedPostgres.ts"
import { Prices } from "./prices/Prices.ts"
import { type Role, roles, Settings, upstreamOf, userAgentFor } from "./Settings.ts"
import { StaticData } from "./static-data/StaticData.ts"
import * as Database from "./store/Database.ts"
import { EntityReader } from "./store/EntityReader.ts"
import { KillmailDays } from "./store/KillmailDays.ts"
import { KillmailReader } from "./store/KillmailReader.ts"
import { KillmailSearch } from "./store/KillmailSearch.ts"
import { Names } from "./store/Names.ts"
import { StatisticsReader } from "./store/StatisticsReader.ts"
import { stores } from "./Stores.ts"
import { MetricSources } from "./telemetry/MetricSources.ts"
import { EveKill } from "./upstreams/EveKill.ts"
import { WebhookClient } from "./webhooks/WebhookClient.ts"
import { WebhookSender } from "./webhooks/WebhookSender.ts"

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

const sources = {
  r2z2: Feed.layer(R2z2.source),
  evekill: Feed.layer(Evekill.source).pipe(Layer.provide(EveKill.layer)),
  evekill_ws: Feed.layer(EvekillSocket.source),
  redisq: Feed.layer(Redisq.source)
}

const feeds = Layer.unwrap(Effect.gen(function*() {
  const settings = yield* Settings
  // A feed that must not be asked stops the start, rather than being silent for ever.
  for (const name of settings.feeds) yield* userAgentFor(settings, upstreamOf(settings, name))
  return Layer.mergeAll(Layer.empty, ...settings.feeds.map((name) => sources[name]))
}))

/** Jobs in this process: less memory, but what ends it ends all. What they could not do at all stops the start. */
const jobsHere = Layer.effectDiscard(Effect.gen(function*() {
  const settings = yield* Settings
  yield* userAgentFor(settings, settings.esiUrl)
  const canary = yield* Canary
  const readiness = yield* Readiness
  yield* readiness.check(Effect.sync(() => canaryReasons(canary.age())))
})).pipe(
  Layer.merge(
    Layer.unwrap(Effect.map(DatabaseUrl, (url) => Lives.layer(Lives.inThisProcess((life) => Jobs.layer(url, life)))))
  ),
  Layer.provide(Canary.layer)
)

const jobsProcess = Layer.unwrap(Effect.gen(function*() {
  const settings = yield* Settings
  yield* userAgentFor(settings, settings.esiUrl)
  return JobsProcess.layer(new URL("./JobsMain.ts", import.meta.url), yield* DatabaseUrl, settings.environment)
}))

/** Jobs in a process of their own, about 110 MB: whatever happens there happens to nothing else. */
const jobsApart = Layer.unwrap(Effect.gen(function*() {
  const child = yield* JobsProcess
  const readiness = yield* Readiness
  const metrics = yield* MetricSources
  yield* metrics.add("jobs", child.metrics)
  yield* readiness.check(Effect.sync(() => canaryReasons(child.canaryAge())))
  return Lives.layer(child.live)
})).pipe(Layer.provideMerge(jobsProcess))

const canaryReasons = (age: number | null): ReadonlyArray<string> =>
  age !== null && age < missedMillis ? [] : ["no job has run lately"]

/** What clients ask is read on connections of its own. */
const publicReads = Layer.fresh(
  Layer.mergeAll(
    KillmailDays.layer,
    KillmailReader.layer,
    KillmailSearch.layer,
    EntityReader.layer,
    StatisticsReader.layer,
    Names.layer
  )
).pipe(Layer.provide(Layer.unwrap(Effect.map(DatabaseUrl, Database.publicLayer))))

const signIn = Layer.mergeAll(SignIn.layer, SessionTokens.layer).pipe(
  Layer.provideMerge(AccessTokens.layer),
  Layer.provide([Sso.layer, EncryptionKeys.layer])
)

const webhooks = WebhookSender.layer.pipe(
  Layer.provide(WebhookClient.layer),
  Layer.provideMerge(EncryptionKeys.layer)
)

const api = Server.layer.pipe(
  Layer.provide(Graphql.layer),
  Layer.provide([publicReads, signIn, webhooks]),
  Layer.provide(WebSocketServer.layer),
  Layer.provideMerge(LiveKillmails.layer),
  Layer.provide(ClientLimits.layer),
  Layer.provide([AdminToken.layer, Submissions.layer, Appraiser.layer]),
  Layer.provide([Prices.layer, StaticData.layer])
)

/** Postgres with its schema, and the stores on it: what commands that only look or ask need. */
export const storesOn = <E, R>(url: Layer.Layer<DatabaseUrl, E, R>) =>
  stores.pipe(Layer.provideMerge(migrated), Layer.provideMerge(url))

/** The room, which tells `/health/ready` once it is there. */
const telling = <A, E, R>(role: Role, room: Layer.Layer<A, E, R>) =>
  Layer.effectDiscard(Readiness.use(({ started }) => started(role))).pipe(Layer.provideMerge(room))

const foundation = (wanted: ReadonlyArray<Role>) =>
  Readiness.layerFor(wanted).pipe(
    Layer.provideMerge(MetricSources.layer),
    Layer.provideMerge(storesOn(DatabaseUrl.layer)),
    Layer.provideMerge(NodeHttpClient.layerUndici)
  )

const room = {
  feeds: telling("feeds", feeds),
  jobs: telling("jobs", jobsApart),
  jobsHere: telling("jobs", jobsHere),
  api: telling("api", api)
}

/** All roles, for as long as the layer lives; Postgres stops last. */
export const whole = Layer.mergeAll(room.feeds, room.jobs, room.api).pipe(Layer.provideMerge(foundation(roles)))

/** As `whole`, in one process. */
export const wholeInOneProcess = Layer.mergeAll(room.feeds, room.jobsHere, room.api).pipe(
  Layer.provideMerge(foundation(roles))
)

/** Some of the roles: several processes may share the work. */
export const layer = (wanted: ReadonlyArray<Role>, options: { readonly oneProcess: boolean }) => {
  const rooms = wanted.map((role) => room[role === "jobs" && options.oneProcess ? "jobsHere" : role])
  return Layer.mergeAll(Layer.empty, ...rooms).pipe(Layer.provide(foundation(wanted)))
}
