/** Whether Postgres is fit, and what its tables say of the daemon. Nothing is changed, the schema neither. */
import { Effect, Layer, Option, Redacted } from "effect"
import { EncryptionKeys } from "../accounts/EncryptionKeys.ts"
import { embeddedDirectory } from "../Daemon.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import * as EmbeddedPostgres from "../postgres/EmbeddedPostgres.ts"
import { Settings } from "../Settings.ts"
import * as Database from "../store/Database.ts"
import { databaseFacts } from "../store/DatabaseFacts.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { Maintenance } from "../store/Maintenance.ts"
import { UserTokens } from "../store/UserTokens.ts"
import { Webhooks } from "../store/Webhooks.ts"
import { examineTokens } from "./ExamineTokens.ts"
import { fault, type Finding, well } from "./Finding.ts"

/** Milliseconds that two clocks may differ: leases and budgets are reckoned by both. */
const mostDrift = 2000
/** Connections of one daemon: its stores, its pools of jobs, its listeners. */
const connectionsOfOne = 46
/** Days that months are made ahead of at least, while the job that makes them runs. */
const leastDays = 30
/** Milliseconds. */
const minute = 60_000

export const examineDatabase = Effect.gen(function*() {
  const settings = yield* Settings
  const url = Option.isSome(settings.databaseUrl)
    ? settings.databaseUrl
    : Option.map(yield* EmbeddedPostgres.urlOfRunning(embeddedDirectory(settings.dataDir)), Redacted.make)
  if (Option.isNone(url)) {
    return [well("postgres", "the embedded one does not run now; `serve` starts it, and doctor looks at it then")]
  }
  const server = Database.layer(url.value)
  const services = Layer.mergeAll(
    FeedStore.layer,
    JobQueue.layer,
    Maintenance.layer,
    UserTokens.layer,
    Webhooks.layer,
    EncryptionKeys.layer
  ).pipe(Layer.provideMerge(server))
  return yield* examineServer(url.value).pipe(
    Effect.provide(services),
    Effect.catchTags({
      DatabaseUnusable: ({ message }) => Effect.succeed([unfit(message.replace(/\.$/, ""))]),
      SqlError: (error) => Effect.succeed([unfit(Database.causeText(error))]),
      EncryptionKeysUnavailable: ({ message }) =>
        Effect.succeed([fault("tokens", message.replace(/\.$/, ""), "see docs/sign-in.md")])
    })
  )
})

const unfit = (finding: string) => fault("postgres", finding, "set DATABASE_URL to a PostgreSQL 18 that runs")

const examineServer = Effect.fnUntraced(function*(url: Redacted.Redacted) {
  const { name, version } = yield* Database.reach(url, "0 seconds")
  if (version < Database.leastVersion) return [unfit(`it is PostgreSQL ${name}, wants version 18 or newer`)]
  const facts = yield* databaseFacts
  const newest = yield* Database.newestSchema
  const findings: Array<Finding> = [
    facts.isStandby
      ? fault("postgres", "it is a standby, which takes no writes", "set DATABASE_URL to the primary")
      : !facts.mayCreate
      ? fault("postgres", "its user may create no schema", "`grant create on database … to …`")
      : facts.maxConnections < connectionsOfOne
      ? fault(
        "postgres",
        `it takes ${facts.maxConnections} connections`,
        `raise max_connections to ${connectionsOfOne} or more`
      )
      : well("postgres", `PostgreSQL ${name} answers, and takes ${facts.maxConnections} connections`),
    examineClock(facts.clockAhead)
  ]
  if (facts.schema === null) return [...findings, well("schema", "there is none yet; `serve` makes it")]
  if (facts.schema < newest) {
    return [...findings, well("schema", `it is ${facts.schema}; \`serve\` brings it to ${newest}`)]
  }
  if (facts.schema > newest) {
    return [
      ...findings,
      fault(
        "schema",
        `it is ${facts.schema}, newer than this killmaild, which knows ${newest}`,
        "run the newer killmaild"
      )
    ]
  }
  return [
    ...findings,
    well("schema", `it is ${facts.schema}, this killmaild's`),
    yield* examineMonths,
    ...(yield* examineQueue),
    ...(yield* examineFeeds),
    yield* examineTokens
  ]
})

const examineClock = (ahead: number): Finding => {
  const finding = `Postgres' is ${(Math.abs(ahead) / 1000).toFixed(1)} s ${
    ahead < 0 ? "behind" : "ahead of"
  } this machine's`
  return Math.abs(ahead) <= mostDrift
    ? well("clock", finding)
    : fault("clock", finding, "set both by NTP: what waits would wait too long, or not long enough")
}

const examineMonths = Effect.gen(function*() {
  const days = Math.floor(yield* (yield* Maintenance).daysLeft)
  const finding = `the next ${days} days have their tables`
  return days >= leastDays
    ? well("partitions", finding)
    : fault("partitions", finding, "start the daemon: its job create_partitions makes them half a year ahead")
})

const examineQueue = Effect.gen(function*() {
  const rows = yield* (yield* JobQueue).stats()
  const failed = rows.reduce((sum, row) => sum + row.failed, 0)
  const oldest = Math.min(...rows.map(({ oldest_waiting }) => oldest_waiting?.getTime() ?? Infinity))
  const waited = Math.max(0, Date.now() - oldest) / minute
  return [
    Number.isFinite(waited) && waited > 30
      ? fault("queue", `its oldest job has waited ${Math.round(waited)} minutes`, "start a daemon with the role jobs")
      : well("queue", `${rows.reduce((sum, row) => sum + row.waiting, 0)} jobs wait`),
    failed === 0
      ? well("dead letters", "there are none")
      : well("dead letters", `there are ${failed}: \`queue stats\` counts them, the table dead_letters has the reasons`)
  ]
})

/** A feed that is set, and that nobody leads, is no fault while no daemon runs. */
const examineFeeds = Effect.gen(function*() {
  const { feeds } = yield* Settings
  const rows = yield* (yield* FeedStore).status
  return rows.filter(({ feed }) => feeds.some((name) => name === feed)).map(({ feed, heard_at, leader }) => {
    const silence = heard_at === null ? Infinity : (Date.now() - heard_at.getTime()) / minute
    const finding = heard_at === null
      ? "it has told nothing yet"
      : `it last told of a killmail ${Math.round(silence)} minutes ago`
    return leader !== null && silence > 60
      ? fault(`feed ${feed}`, finding, "its upstream is down or refuses us: see rate_limits, and the log")
      : well(`feed ${feed}`, finding)
  })
})
