/** The tables of EVE's static data: their columns in order, and how rows get into them. */
import type { SqlClient } from "effect/sql"
import { pgColumn } from "./PgArray.ts"

interface Table {
  /** Postgres' types by column. */
  readonly columns: Readonly<Record<string, "integer" | "bigint" | "float8" | "boolean" | "text">>
  readonly key: ReadonlyArray<string>
  /**
   * The column that tells which rows an import replaces: those that share its value with new rows and are not among them
   * are gone. Without it a row stays for ever: killmails name what the game has long forgotten.
   */
  readonly replaces?: string
}

const definitions = {
  types: {
    columns: {
      type_id: "integer",
      name: "text",
      group_id: "integer",
      market_group_id: "integer",
      meta_group_id: "integer",
      published: "boolean"
    },
    key: ["type_id"]
  },
  groups: { columns: { group_id: "integer", name: "text", category_id: "integer" }, key: ["group_id"] },
  categories: { columns: { category_id: "integer", name: "text" }, key: ["category_id"] },
  market_groups: {
    columns: { market_group_id: "integer", name: "text", parent_group_id: "integer" },
    key: ["market_group_id"]
  },
  type_dogma: {
    columns: { type_id: "integer", attribute_id: "integer", value: "float8" },
    key: ["type_id", "attribute_id"],
    replaces: "type_id"
  },
  type_materials: {
    columns: { type_id: "integer", material_type_id: "integer", quantity: "bigint" },
    key: ["type_id", "material_type_id"],
    replaces: "type_id"
  },
  blueprints: {
    columns: { blueprint_type_id: "integer", product_type_id: "integer", output_quantity: "bigint" },
    key: ["blueprint_type_id"]
  },
  blueprint_materials: {
    columns: { blueprint_type_id: "integer", material_type_id: "integer", quantity: "bigint" },
    key: ["blueprint_type_id", "material_type_id"],
    replaces: "blueprint_type_id"
  },
  solar_systems: {
    columns: {
      solar_system_id: "integer",
      name: "text",
      constellation_id: "integer",
      region_id: "integer",
      security: "float8"
    },
    key: ["solar_system_id"]
  },
  constellations: {
    columns: { constellation_id: "integer", name: "text", region_id: "integer" },
    key: ["constellation_id"]
  },
  regions: { columns: { region_id: "integer", name: "text" }, key: ["region_id"] },
  celestials: {
    columns: {
      celestial_id: "integer",
      solar_system_id: "integer",
      type_id: "integer",
      group_id: "integer",
      x: "float8",
      y: "float8",
      z: "float8",
      name: "text"
    },
    key: ["celestial_id"],
    replaces: "group_id"
  },
  factions: { columns: { faction_id: "integer", name: "text" }, key: ["faction_id"] },
  npc_corporations: {
    columns: { corporation_id: "integer", name: "text", ticker: "text", faction_id: "integer" },
    key: ["corporation_id"]
  }
} satisfies Record<string, Table>

export type StaticTable = keyof typeof definitions

type Value = number | string | boolean | null
/** A row of a table, with all its columns. */
export type StaticRow<T extends StaticTable> = {
  readonly [C in keyof (typeof definitions)[T]["columns"]]: Value
}
/** Rows by table. */
export type StaticRows = { readonly [T in StaticTable]?: ReadonlyArray<StaticRow<T>> }

export const staticTables: Readonly<Record<StaticTable, Table>> = definitions

/** Adds rows to `target`, which is like the table; those whose key is there already stay as they are. */
export const addRows = <T extends StaticTable>(
  sql: SqlClient.SqlClient,
  target: string,
  table: T,
  rows: ReadonlyArray<StaticRow<T>>
) => {
  const columns = Object.entries(staticTables[table].columns)
  return sql.unsafe(
    `insert into ${target}
     select * from unnest(${columns.map(([, type], index) => `$${index + 1}::${type}[]`).join()})
     on conflict do nothing`,
    columns.map(([column]) => pgColumn(rows as ReadonlyArray<Record<string, Value>>, (row) => row[column]))
  )
}
