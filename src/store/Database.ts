/** Postgres: the client, the schema's version, and what its errors mean. */
import { PgClient } from "@effect/sql-pg"
import { type Duration, Effect, Layer, Predicate, Redacted, Schedule, Schema } from "effect"
import { Migrator, SqlClient, SqlError } from "effect/sql"
import { runMigrations as migrateQueue } from "graphile-worker"
import { randomBytes } from "node:crypto"
import createKillmails from "../../migrations/0001_create_killmails.ts"
import createFeeds from "../../migrations/0002_create_feeds.ts"
import createJobs from "../../migrations/0003_create_jobs.ts"
import createUpstreamState from "../../migrations/0004_create_upstream_state.ts"
import createStaticData from "../../migrations/0005_create_static_data.ts"
import createPrices from "../../migrations/0006_create_prices.ts"
import createEntities from "../../migrations/0007_create_entities.ts"
import createRevaluations from "../../migrations/0008_create_revaluations.ts"
import createViews from "../../migrations/0009_create_views.ts"
import createMapActivities from "../../migrations/0010_create_map_activities.ts"
import createImports from "../../migrations/0011_create_imports.ts"
import createRedisqQueues from "../../migrations/0012_create_redisq_queues.ts"
import createStatistics from "../../migrations/0013_create_statistics.ts"
import createPublicRole from "../../migrations/0014_create_public_role.ts"
import createUsers from "../../migrations/0015_create_users.ts"
import createKillmailsByDay from "../../migrations/0016_create_killmails_by_day.ts"
import createOwnKillmails from "../../migrations/0017_create_own_killmails.ts"
import createNotifications from "../../migrations/0018_create_notifications.ts"
import createWebhooks from "../../migrations/0019_create_webhooks.ts"
import { crashPoint } from "../CrashPoint.ts"
import { wellKnownPrices } from "../domain/WellKnownPrices.ts"
import { createPartitions } from "./Maintenance.ts"
import { putWellKnownPrices } from "./PriceStore.ts"
import { hasPublicRole, preparePublicRole, publicRole } from "./PublicRole.ts"

/** Postgres cannot be used: not reached, too old, or its schema is newer than this program. Stops the start. */
export class DatabaseUnusable extends Schema.TaggedError<DatabaseUnusable>()("DatabaseUnusable", {
  message: Schema.String
}) {}

const migrations = Migrator.fromRecord({
  "0001_create_killmails": createKillmails,
  "0002_create_feeds": createFeeds,
  "0003_create_jobs": Effect.tap(createJobs, crashPoint("schema half migrated")),
  "0004_create_upstream_state": createUpstreamState,
  "0005_create_static_data": createStaticData,
  "0006_create_prices": createPrices,
  "0007_create_entities": createEntities,
  "0008_create_revaluations": createRevaluations,
  "0009_create_views": createViews,
  "0010_create_map_activities": createMapActivities,
  "0011_create_imports": createImports,
  "0012_create_redisq_queues": createRedisqQueues,
  "0013_create_statistics": createStatistics,
  "0014_create_public_role": createPublicRole,
  "0015_create_users": createUsers,
  "0016_create_killmails_by_day": createKillmailsByDay,
  "0017_create_own_killmails": createOwnKillmails,
  "0018_create_notifications": createNotifications,
  "0019_create_webhooks": createWebhooks
})

export const migrationsTable = "schema_migrations"

/** The schema that this program knows: the number of its last migration. */
export const newestSchema = Effect.map(migrations, (known) => Math.max(...known.map(([id]) => id)))

/** Of the server, as `server_version_num`. */
export const leastVersion = 180_000

/** Connections of the store's pool; the queue has its own (jobs/JobRunner.ts). */
const maxConnections = 12

/** Of one process's pool alone: what a frozen process has locked is found, and ended, by it. */
const ownName = (): string => `killmaild ${randomBytes(6).toString("hex")}`

export const layer = (
  url: Redacted.Redacted,
  applicationName = ownName()
): Layer.Layer<PgClient.PgClient | SqlClient.SqlClient, SqlError.SqlError> =>
  PgClient.layer({
    url,
    maxConnections,
    applicationName,
    connectTimeout: "5 seconds",
    keepAlive: "10 seconds",
    startupParameters: { timezone: "UTC" }
  })

/** Connections for what clients ask. However much they ask, the daemon's own pool is not theirs. */
const maxPublicConnections = 6
/** A statement for a client may take so long. */
export const publicSeconds = 4

/**
 * A pool that reads only, nothing but what is public where Postgres has the role for it, and stops a statement that takes too
 * long: for what clients ask. The schema must be there.
 */
export const publicLayer = (url: Redacted.Redacted) =>
  Layer.unwrap(Effect.map(hasPublicRole, (hasRole) =>
    PgClient.layer({
      url,
      maxConnections: maxPublicConnections,
      applicationName: "killmaild public",
      connectTimeout: "5 seconds",
      keepAlive: "10 seconds",
      startupParameters: {
        timezone: "UTC",
        default_transaction_read_only: "on",
        statement_timeout: `${publicSeconds}s`,
        // Planned for the values at hand a statement is for few months; planned for any, it would be for all there are.
        plan_cache_mode: "force_custom_plan",
        // A page takes milliseconds, less than to start workers or to compile; and the other cores are other clients'.
        max_parallel_workers_per_gather: "0",
        jit: "off",
        ...(hasRole ? { role: publicRole } : {})
      }
    })))

/**
 * Brings the schema to this program's version: the queue's first, as ours refers to it. Safe for daemons that start at
 * once: both migrators lock. Returns the names of the migrations that ran.
 */
export const migrate = Effect.fn("Database.migrate")(function*(url: Redacted.Redacted) {
  const server = yield* reach(url)
  if (server.version < leastVersion) {
    return yield* new DatabaseUnusable({
      message: `DATABASE_URL: leads to PostgreSQL ${server.name}, wants version 18 or newer.`
    })
  }
  yield* refuseNewerSchema
  yield* Effect.promise(() => migrateQueue({ connectionString: Redacted.value(url), noHandleSignals: true }))
  yield* crashPoint("queue migrated, schema not")
  const ran = yield* Migrator.make({})({ loader: migrations, table: migrationsTable }).pipe(
    Effect.retry({ while: (error) => error._tag === "MigrationError" && error.kind === "Locked", times: 100 })
  )
  yield* crashPoint("schema migrated, no partitions yet")
  yield* createPartitions
  yield* preparePublicRole
  yield* putWellKnownPrices(wellKnownPrices)
  yield* crashPoint("partitions made, epoch not looked at")
  yield* renewEpochAfterRestore
  return ran.map(([, name]) => name)
})

/** Asks the server who it is. One that is not there yet, or still starting up, is waited for as long as `patience`. */
export const reach = Effect.fn("Database.reach")(
  function*(url: Redacted.Redacted, patience: Duration.Input = "30 seconds") {
    const sql = yield* SqlClient.SqlClient
    const place = placeOf(Redacted.value(url))
    let told = false
    const tellOnce = (error: SqlError.SqlError) => {
      if (told || !isNotThereYet(error)) return Effect.void
      told = true
      return Effect.logInfo(`Waiting for Postgres at ${place} (${causeText(error)}).`)
    }
    const rows = yield* sql<{ version: number; name: string }>`
      select current_setting('server_version_num')::int as version, current_setting('server_version') as name
    `.pipe(
      Effect.tapError(tellOnce),
      Effect.retry({
        while: isNotThereYet,
        schedule: Schedule.spaced("500 millis").pipe(Schedule.upTo({ duration: patience }))
      }),
      Effect.mapError((error) =>
        new DatabaseUnusable({
          message: `DATABASE_URL: cannot reach ${place} (${causeText(error)}), wants a PostgreSQL 18 that answers ` +
            "there and knows this user and database."
        })
      )
    )
    return rows[0]!
  }
)

/** Host and port, or the directory of the socket; never the password. */
const placeOf = (url: string): string => {
  const { hostname, port } = new URL(url)
  const host = decodeURIComponent(hostname)
  return host.startsWith("/") ? host : `${host || "localhost"}:${port || "5432"}`
}

/** No connection, or SQLSTATE 57P03 (starting up), 53300 (no connection left). */
const isNotThereYet = (error: SqlError.SqlError): boolean =>
  error.reason._tag === "ConnectionError" || ["57P03", "53300"].includes(sqlState(error) ?? "")

/** What the server or the socket said. */
export const causeText = (error: SqlError.SqlError): string =>
  error.reason.cause instanceof Error ? error.reason.cause.message : error.message

const refuseNewerSchema = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [table] = yield* sql<{ present: boolean }>`select to_regclass(${migrationsTable}) is not null as present`
  if (!table!.present) return
  const newest = yield* newestSchema
  const [latest] = yield* sql<{ id: number; name: string }>`
    select migration_id as id, name from ${sql(migrationsTable)} order by migration_id desc limit 1`
  if (latest !== undefined && latest.id > newest) {
    return yield* new DatabaseUnusable({
      message: `The database has schema ${latest.id} (${latest.name}), newer than this killmaild, which knows up to ` +
        `${newest}. Run the newer killmaild, or restore a backup of the older schema.`
    })
  }
})

/** A restored backup carries another system identifier: sequences may repeat, so clients must not resume across it. */
const renewEpochAfterRestore = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    insert into epoch (system_identifier) select system_identifier::text from pg_control_system()
    on conflict (singleton) do update
      set id = gen_random_uuid(), since = now(), system_identifier = excluded.system_identifier
      where epoch.system_identifier <> excluded.system_identifier`
})

/** After a restore that Postgres itself cannot tell (a dump into the same server): `killmaild restored`. */
export const renewEpoch = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`update epoch set id = gen_random_uuid(), since = now()`
})

/** The five characters of SQLSTATE, where the server gave them; what a socket says (ECONNREFUSED, EPIPE) is none. */
export const sqlState = (error: SqlError.SqlError): string | undefined => {
  const cause = error.reason.cause
  return Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code) &&
      /^(?=.*\d)[\dA-Z]{5}$/.test(cause.code)
    ? cause.code
    : undefined
}

/** The connection is gone or going: SQLSTATE class 08, 57P01 to 57P03, or the socket. Never a bad row. */
export const isLostConnection = (error: unknown): boolean =>
  SqlError.isSqlError(error) &&
  (error.reason._tag === "ConnectionError" || /^(08|57P0[123])/.test(sqlState(error) ?? ""))

/** The data themselves are refused (SQLSTATE 22: out of range, 23: constraint): trying the same again is no use. */
export const isBadRow = (error: SqlError.SqlError): boolean =>
  /^2[23]/.test(sqlState(error) ?? "") && !isNoPartition(error)

/** Somebody else wrote the same meanwhile (SQLSTATE 23505). */
export const isUniqueViolation = (error: SqlError.SqlError): boolean => sqlState(error) === "23505"

/** There is no partition for the row's month (SQLSTATE 23514, which a check constraint shares; these tables have none). */
export const isNoPartition = (error: SqlError.SqlError): boolean => sqlState(error) === "23514"

/** Postgres is in trouble, or somebody is in the way: disk, memory, locks, a standby. It passes. */
export const isPassing = (error: SqlError.SqlError): boolean =>
  sqlState(error) === undefined || /^(08|25|40|53|55|57|58)/.test(sqlState(error)!) || isNoPartition(error)
