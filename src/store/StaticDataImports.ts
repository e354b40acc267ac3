/**
 * Writes CCP's static data: all in one transaction, each table by way of a temporary one, so that readers see the old build
 * until the new one is whole, and a table that did not change is not written.
 */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { pgArray, pgColumn } from "./PgArray.ts"
import { staticDataChannel } from "./StaticDataStore.ts"

interface Table {
  /** Postgres' types by column. */
  readonly columns: Readonly<Record<string, "integer" | "bigint" | "float8" | "boolean" | "text">>
  readonly key: ReadonlyArray<string>
  /** Rows that share this column's value with new rows and are not among them are gone. Without it, rows stay for ever. */
  readonly replaces?: string
}

const tables = {
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

export type StaticTable = keyof typeof tables
/** A row of a table; a column without a value is null. */
export type StaticRow<T extends StaticTable> = {
  readonly [C in keyof (typeof tables)[T]["columns"]]: number | string | boolean | null
}

/** A build that was imported. */
export interface StaticDataBuild {
  /** CCP's; null for an archive that did not tell. */
  readonly build: number | null
  readonly releasedAt: Date | null
  /** Of the reading: the same build read by a newer killmaild may give more. */
  readonly revision: number
  /** The path or URL it came from. */
  readonly source: string
  /** Members that it lacked. */
  readonly missing: ReadonlyArray<string>
}

/** The tables, while their new rows come in. */
export interface Incoming {
  readonly put: <T extends StaticTable>(
    table: T,
    rows: ReadonlyArray<StaticRow<T>>
  ) => Effect.Effect<void, SqlError.SqlError>
  /** All rows of this part of the table were put: brings the table in line with them. Returns how many it was given. */
  readonly merge: (table: StaticTable) => Effect.Effect<number, SqlError.SqlError>
}

export class StaticDataImports extends Context.Service<StaticDataImports, {
  /** What is here now. */
  readonly last: Effect.Effect<Option.Option<StaticDataBuild & { readonly importedAt: Date }>, SqlError.SqlError>
  /** All that `fill` puts and merges, and the build that it returns to be remembered; or nothing of it. */
  readonly write: <A, E, R>(
    fill: (incoming: Incoming) => Effect.Effect<readonly [build: StaticDataBuild, result: A], E, R>
  ) => Effect.Effect<A, E | SqlError.SqlError, R>
}>()("killmaild/store/StaticDataImports") {
  static readonly layer = Layer.effect(
    StaticDataImports,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const last = Effect.map(
        sql<StaticDataBuild & { readonly importedAt: Date }>`
          select build_number as build, released_at as "releasedAt", imported_at as "importedAt", revision, source, missing
          from static_data_imports
          order by id desc
          limit 1`,
        ([row]) => Option.fromNullishOr(row)
      )

      const incomingTables = (): Incoming => {
        const prepared = new Set<StaticTable>()

        const put: Incoming["put"] = Effect.fnUntraced(function*(table, rows) {
          if (!prepared.has(table)) {
            yield* sql.unsafe(`create temp table incoming_${table} (like ${table} including indexes) on commit drop`)
            prepared.add(table)
          }
          const columns = Object.entries(tables[table].columns)
          yield* sql.unsafe(
            `insert into incoming_${table}
             select * from unnest(${columns.map(([, type], index) => `$${index + 1}::${type}[]`).join()})
             on conflict do nothing`,
            columns.map(([column]) =>
              pgColumn(rows as ReadonlyArray<Record<string, string | number>>, (row) => row[column])
            )
          )
        })

        const merge: Incoming["merge"] = Effect.fnUntraced(function*(table) {
          if (!prepared.has(table)) return 0
          prepared.delete(table)
          yield* sql.unsafe(`analyze incoming_${table}`)
          yield* sql.unsafe(mergeStatement(table))
          const [row] = yield* sql.unsafe<{ count: number }>(`select count(*)::int as count from incoming_${table}`)
          yield* sql.unsafe(`drop table incoming_${table}`)
          return row!.count
        })

        return { put, merge }
      }

      const remember = (build: StaticDataBuild) =>
        sql`
          insert into static_data_imports (build_number, released_at, revision, source, missing)
          values (${build.build}, ${build.releasedAt}::timestamptz, ${build.revision}, ${build.source},
            ${pgArray(build.missing)}::text[])`

      const write: StaticDataImports["Service"]["write"] = (fill) =>
        sql.withTransaction(Effect.gen(function*() {
          const [build, result] = yield* fill(incomingTables())
          yield* remember(build)
          yield* sql`select pg_notify(${staticDataChannel}, 'imported')`
          return result
        }))

      return StaticDataImports.of({ last, write })
    })
  )
}

const mergeStatement = (name: StaticTable): string => {
  const { columns, key, replaces }: Table = tables[name]
  const all = Object.keys(columns)
  const others = all.filter((column) => !key.includes(column))
  const of = (alias: string, names: ReadonlyArray<string>) => names.map((column) => `${alias}.${column}`).join()
  return `
    merge into ${name} as kept
    using incoming_${name} as new
    on (${of("kept", key)}) = (${of("new", key)})
    when matched and (${of("kept", others)}) is distinct from (${of("new", others)}) then
      update set ${others.map((column) => `${column} = new.${column}`).join()}
    when not matched then
      insert (${all.join()}) values (${of("new", all)})
    ${
    replaces === undefined
      ? ""
      : `when not matched by source and kept.${replaces} in (select ${replaces} from incoming_${name}) then delete`
  }`
}
