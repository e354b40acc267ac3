/**
 * Writes CCP's static data: all in one transaction, each table by way of a temporary one, so that readers see the old build
 * until the new one is whole, and a table that did not change is not written.
 */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { pgArray } from "./PgArray.ts"
import { raiseVersion } from "./StaticDataStore.ts"
import { addRows, type StaticRow, type StaticTable, staticTables } from "./StaticTables.ts"

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

/** Takes rows of a table for an import. Of two with the same key the first counts. */
export type Put = <T extends StaticTable>(
  table: T,
  rows: ReadonlyArray<StaticRow<T>>
) => Effect.Effect<void, SqlError.SqlError>

/** Rows; what a planner without statistics believes does no harm below. */
const smallTable = 10_000

export class StaticDataImports extends Context.Service<StaticDataImports, {
  /** What is here now. */
  readonly last: Effect.Effect<Option.Option<StaticDataBuild & { readonly importedAt: Date }>, SqlError.SqlError>
  /**
   * Brings the tables in line with all that `fill` puts, and remembers the build; or does nothing at all. Returns how many
   * rows each table was given. They are locked for the last seconds only, and for other writers.
   */
  readonly write: <E, R>(
    build: StaticDataBuild,
    fill: (put: Put) => Effect.Effect<void, E, R>
  ) => Effect.Effect<Readonly<Partial<Record<StaticTable, number>>>, E | SqlError.SqlError, R>
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

      const putInto = (counts: Map<StaticTable, number>): Put =>
        Effect.fnUntraced(function*(table, rows) {
          if (!counts.has(table)) {
            yield* sql.unsafe(`create temp table incoming_${table} (like ${table} including indexes) on commit drop`)
          }
          counts.set(table, (counts.get(table) ?? 0) + rows.length)
          yield* addRows(sql, `incoming_${table}`, table, rows)
        })

      const merge = Effect.fnUntraced(function*([table, count]: readonly [StaticTable, number]) {
        // Nobody else looks at a temporary table, and the planner would take a large one for a small one.
        if (count > smallTable) yield* sql.unsafe(`analyze incoming_${table}`)
        yield* sql.unsafe(mergeStatement(table))
      })

      const remember = (build: StaticDataBuild) =>
        sql`
          insert into static_data_imports (build_number, released_at, revision, source, missing)
          values (${build.build}, ${build.releasedAt}::timestamptz, ${build.revision}, ${build.source},
            ${pgArray(build.missing)}::text[])`

      const write: StaticDataImports["Service"]["write"] = (build, fill) =>
        sql.withTransaction(Effect.gen(function*() {
          const counts = new Map<StaticTable, number>()
          yield* fill(putInto(counts))
          yield* Effect.forEach(counts, merge, { discard: true })
          yield* remember(build)
          yield* raiseVersion(sql)
          return Object.fromEntries(counts)
        }))

      return StaticDataImports.of({ last, write })
    })
  )
}

const of = (alias: string, columns: ReadonlyArray<string>) => columns.map((column) => `${alias}.${column}`).join()

const mergeStatement = (name: StaticTable): string => {
  const { columns, key, replaces } = staticTables[name]
  const all = Object.keys(columns)
  const others = all.filter((column) => !key.includes(column))
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
