/** The role of Postgres under which clients' questions are read. Whatever a query became, it could read no more than this. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { pgArray } from "./PgArray.ts"

export const publicRole = "killmaild_public"

/** What everybody may know. Partitions are read through their parents. */
const publicTables = [
  "epoch",
  "killmail_ledger",
  "killmails",
  "attackers",
  "items",
  "killmails_by_day",
  "sightings",
  "feed_cursors",
  "gaps",
  "days",
  "characters",
  "corporations",
  "alliances",
  "character_groups",
  "types",
  "groups",
  "categories",
  "market_groups",
  "type_dogma",
  "type_materials",
  "blueprints",
  "blueprint_materials",
  "solar_systems",
  "constellations",
  "regions",
  "celestials",
  "factions",
  "npc_corporations",
  "inventory_flags",
  "prices",
  "custom_prices",
  "statistics",
  "statistics_progress",
  "statistics_due"
]

/** Creates the role where this user may, and lets it read what is public. Without it, reads are the daemon's own user's. */
export const preparePublicRole = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [prepared] = yield* sql<{ refusal: string | null }>`
    select prepare_public_role(${pgArray(publicTables)}::text[]) as refusal`
  const refusal = prepared!.refusal
  if (refusal !== null) {
    yield* Effect.logWarning(
      `What clients ask is read by the daemon's own database user, in transactions that only read: Postgres refuses it ` +
        `the role ${publicRole} (${refusal}). A superuser may \`create role ${publicRole}\` and grant it to this user.`
    )
  }
})

/** Whether this user may act as the role. */
export const hasPublicRole = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql`
    select from pg_roles
    where rolname = ${publicRole} and pg_has_role(oid, 'set')`
  return rows.length > 0
})
