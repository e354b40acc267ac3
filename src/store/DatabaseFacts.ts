/** What can be asked of a database that has any schema, or none: for whoever looks before it is used. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { migrationsTable } from "./Database.ts"

export interface DatabaseFacts {
  /** Milliseconds by which its clock is ahead of ours. */
  readonly clockAhead: number
  readonly mayCreate: boolean
  /** A standby, which takes no writes. */
  readonly isStandby: boolean
  /** Of the newest migration that ran; null before the first. */
  readonly schema: number | null
  readonly maxConnections: number
}

type Row = Omit<DatabaseFacts, "clockAhead" | "schema"> & { readonly time: number; readonly hasSchema: boolean }

export const databaseFacts = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const asked = Date.now()
  const [row] = yield* sql<Row>`
    select extract(epoch from clock_timestamp())::float8 * 1000 as time,
      has_database_privilege(current_database(), 'create') as "mayCreate",
      pg_is_in_recovery() as "isStandby",
      to_regclass(${migrationsTable}) is not null as "hasSchema",
      current_setting('max_connections')::integer as "maxConnections"`
  const { hasSchema, time, ...facts } = row!
  const [latest] = hasSchema
    ? yield* sql<{ id: number }>`select max(migration_id)::integer as id from ${sql(migrationsTable)}`
    : []
  // The answer is from somewhere between the question and now.
  const clockAhead = time - (asked + Date.now()) / 2
  return { ...facts, clockAhead, schema: latest?.id ?? null } satisfies DatabaseFacts as DatabaseFacts
})
