/** Reads what is known of the game itself, and keeps what ESI told of types and systems that CCP's static data lack. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { SystemFacts, TypeFacts } from "../domain/StaticData.ts"
import { pgArray } from "./PgArray.ts"
import { addRows, type StaticRows, type StaticTable } from "./StaticTables.ts"

/** Ids of types and systems. */
export interface StaticIds {
  readonly typeIds: ReadonlyArray<number>
  readonly systemIds: ReadonlyArray<number>
}

/** Something in space with a place of its own. Metres from the centre of its system. */
export interface Celestial {
  readonly id: number
  readonly x: number
  readonly y: number
  readonly z: number
}

export class StaticDataStore extends Context.Service<StaticDataStore, {
  /** These types, and all types that they are built of. Unknown ones are absent. */
  readonly types: (typeIds: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<TypeFacts>, SqlError.SqlError>
  readonly systems: (systemIds: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<SystemFacts>, SqlError.SqlError>
  /** Suns, planets, moons, belts, gates and stations of a system. */
  readonly celestials: (systemId: number) => Effect.Effect<ReadonlyArray<Celestial>, SqlError.SqlError>
  /** Names by id, of anything that the game itself has; unknown ones are absent. */
  readonly names: (ids: ReadonlyArray<number>) => Effect.Effect<ReadonlyMap<number, string>, SqlError.SqlError>
  /** Another number whenever something of all this has changed. */
  readonly version: Effect.Effect<number, SqlError.SqlError>

  /** Remembers that ESI is to be asked for these. */
  readonly request: (ids: StaticIds) => Effect.Effect<void, SqlError.SqlError>
  /** The oldest requests, at most `limit` of each kind, without those that came to be known in another way. */
  readonly requested: (limit: number) => Effect.Effect<StaticIds, SqlError.SqlError>
  /** ESI knows none such: not to be asked again until the request is forgotten. */
  readonly refuse: (kind: "type" | "system", id: number) => Effect.Effect<void, SqlError.SqlError>
  /** So that unknown ids are asked for again, should they be seen again. Returns how many. */
  readonly forgetRefused: (olderThanHours: number) => Effect.Effect<number, SqlError.SqlError>
  /** Those of these ids that the table has, with the category or region that they belong to; 0 for what is on top. */
  readonly known: (
    table: "groups" | "categories" | "constellations" | "regions",
    ids: ReadonlyArray<number>
  ) => Effect.Effect<ReadonlyMap<number, number>, SqlError.SqlError>
  /** Keeps what ESI told. Rows that an import brought meanwhile stay as they are. */
  readonly learn: (rows: StaticRows) => Effect.Effect<void, SqlError.SqlError>
}>()("killmaild/store/StaticDataStore") {
  static readonly layer = Layer.effect(
    StaticDataStore,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      // The array at the end: the planner takes a recursion for a crowd, and would read whole tables to join it.
      const types: StaticDataStore["Service"]["types"] = (typeIds) =>
        Effect.map(
          sql<TypeRow>`
            with recursive wanted(type_id) as (
              select unnest(${pgArray(typeIds)}::integer[])
              union
              select material_type_id
              from wanted
              join blueprint_materials on blueprint_type_id = manufacturing_blueprint(wanted.type_id)
            )
            select type_id as "typeId", types.name, group_id as "groupId", category_id as "categoryId",
              meta_group_id as "metaGroupId",
              array(
                with recursive up(id, depth) as (
                  select types.market_group_id, 1 where types.market_group_id is not null
                  union all
                  select parent_group_id, depth + 1
                  from up
                  join market_groups on market_groups.market_group_id = up.id
                  where parent_group_id is not null and depth < 20
                )
                select id from up order by depth
              ) as "marketGroupIds",
              (
                select coalesce(json_agg(json_build_array(attribute_id, value)), '[]')
                from type_dogma
                where type_dogma.type_id = types.type_id
              ) as dogma,
              (
                select json_build_object('outputQuantity', output_quantity, 'materials', (
                  select coalesce(json_agg(json_build_object('typeId', material_type_id, 'quantity', quantity)), '[]')
                  from blueprint_materials
                  where blueprint_materials.blueprint_type_id = blueprints.blueprint_type_id
                ))
                from blueprints
                where blueprint_type_id = manufacturing_blueprint(type_id)
              ) as manufacturing
            from types
            join groups using (group_id)
            where type_id = any(array(select type_id from wanted))`,
          (rows) => rows.map(factsOf)
        )

      const systems: StaticDataStore["Service"]["systems"] = (systemIds) =>
        sql<SystemFacts>`
          select solar_system_id as "systemId", name, security, constellation_id as "constellationId",
            region_id as "regionId"
          from solar_systems
          where solar_system_id = any(${pgArray(systemIds)}::integer[])`

      const celestials: StaticDataStore["Service"]["celestials"] = (systemId) =>
        sql<Celestial>`select celestial_id as id, x, y, z from celestials where solar_system_id = ${systemId}::integer`

      const names: StaticDataStore["Service"]["names"] = (ids) =>
        Effect.map(
          sql<{ id: number; name: string }>`
            with wanted(id) as (select unnest(${pgArray(ids)}::integer[]))
            select id, name from wanted join types on type_id = id
            union all
            select id, name from wanted join factions on faction_id = id
            union all
            select id, name from wanted join npc_corporations on corporation_id = id
            union all
            select id, name from wanted join regions on region_id = id
            union all
            select id, name from wanted join constellations on constellation_id = id
            union all
            select id, name from wanted join solar_systems on solar_system_id = id
            union all
            select id, name from wanted join celestials on celestial_id = id where name is not null`,
          (rows) => new Map(rows.map(({ id, name }) => [id, name]))
        )

      const version = Effect.map(
        sql<{ version: number }>`select version from static_data_version`,
        ([row]) => row!.version
      )

      const request: StaticDataStore["Service"]["request"] = ({ systemIds, typeIds }) =>
        Effect.asVoid(sql`
          insert into static_data_requests (kind, id)
          select 'type', unnest(${pgArray(typeIds)}::integer[])
          union all
          select 'system', unnest(${pgArray(systemIds)}::integer[])
          on conflict do nothing`)

      const requested: StaticDataStore["Service"]["requested"] = Effect.fnUntraced(function*(limit) {
        yield* sql`
          delete from static_data_requests
          where kind = 'type' and id in (select type_id from types join groups using (group_id))
            or kind = 'system' and id in (select solar_system_id from solar_systems)`
        const rows = yield* sql<{ kind: string; id: number }>`
          select kind, id
          from (
            select kind, id, row_number() over (partition by kind order by requested_at, id) as turn
            from static_data_requests
            where unknown_at is null
          ) waiting
          where turn <= ${limit}
          order by turn`
        const of = (wanted: string) => rows.filter(({ kind }) => kind === wanted).map(({ id }) => id)
        return { typeIds: of("type"), systemIds: of("system") }
      })

      const refuse: StaticDataStore["Service"]["refuse"] = (kind, id) =>
        Effect.asVoid(sql`
          update static_data_requests set unknown_at = now() where kind = ${kind} and id = ${id}::integer`)

      const forgetRefused: StaticDataStore["Service"]["forgetRefused"] = (hours) =>
        Effect.map(
          sql`
            delete from static_data_requests
            where unknown_at < now() - ${hours}::float8 * interval '1 hour'
            returning id`,
          (rows) => rows.length
        )

      const known: StaticDataStore["Service"]["known"] = (table, ids) => {
        const [id, belongsTo] = hierarchy[table]
        return Effect.map(
          sql<{ id: number; belongsTo: number }>`
            select ${sql(id)} as id, ${sql.literal(belongsTo)} as "belongsTo"
            from ${sql(table)}
            where ${sql(id)} = any(${pgArray(ids)}::integer[])`,
          (rows) => new Map(rows.map(({ belongsTo, id }) => [id, belongsTo]))
        )
      }

      const learn: StaticDataStore["Service"]["learn"] = (rows) =>
        sql.withTransaction(Effect.gen(function*() {
          for (const table of Object.keys(rows) as ReadonlyArray<StaticTable>) {
            yield* addRows(sql, table, table, rows[table] as ReadonlyArray<never>)
          }
          yield* raiseVersion(sql)
        }))

      return StaticDataStore.of({
        types,
        systems,
        celestials,
        names,
        version,
        request,
        requested,
        refuse,
        forgetRefused,
        known,
        learn
      })
    })
  )
}

/** Key and what a row belongs to. */
const hierarchy = {
  groups: ["group_id", "category_id"],
  categories: ["category_id", "0"],
  constellations: ["constellation_id", "region_id"],
  regions: ["region_id", "0"]
} as const

/** In the transaction that changes something. */
export const raiseVersion = (sql: SqlClient.SqlClient) => sql`update static_data_version set version = version + 1`

type TypeRow = Omit<TypeFacts, "dogma"> & {
  readonly dogma: ReadonlyArray<readonly [attributeId: number, value: number]>
}

const factsOf = ({ dogma, ...rest }: TypeRow): TypeFacts => ({ ...rest, dogma: new Map(dogma) })
