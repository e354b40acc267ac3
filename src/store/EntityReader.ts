/** Reads what is known of characters, corporations and alliances. */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { CharacterGroup } from "./CharacterGroups.ts"
import { pgArray } from "./PgArray.ts"

/** Null is what is not known, or not there. */
interface EntityRow {
  readonly name: string | null
  /** The newest killmail that named it, or a newer answer of ESI: the affiliation is of then. */
  readonly seen_at: Date | null
  /** When ESI told its name. */
  readonly refreshed_at: Date | null
  /** Since when it is deleted, closed, or unknown to ESI. */
  readonly deleted_at: Date | null
}

export interface CharacterRow extends EntityRow {
  readonly character_id: number
  readonly corporation_id: number | null
  readonly alliance_id: number | null
  readonly faction_id: number | null
  /** -10 to 5, to one decimal: of the newest killmail on which it attacked. */
  readonly security_status: number | null
}

export interface CorporationRow extends EntityRow {
  readonly corporation_id: number
  readonly ticker: string | null
  readonly alliance_id: number | null
  readonly faction_id: number | null
}

export interface AllianceRow extends EntityRow {
  readonly alliance_id: number
  readonly ticker: string | null
}

type Find<Row> = (id: number) => Effect.Effect<Option.Option<Row>, SqlError.SqlError>
/** One statement for all; who is unknown is absent. */
type FindAll<Row> = (ids: ReadonlyArray<number>) => Effect.Effect<ReadonlyMap<number, Row>, SqlError.SqlError>

export class EntityReader extends Context.Service<EntityReader, {
  readonly character: Find<CharacterRow>
  readonly characters: FindAll<CharacterRow>
  /** The group that a main or an alt is in. */
  readonly group: Find<CharacterGroup>
  readonly groups: FindAll<CharacterGroup>
  /** A players' one, or an NPC corporation of the static data. */
  readonly corporation: Find<CorporationRow>
  readonly corporations: FindAll<CorporationRow>
  readonly alliance: Find<AllianceRow>
  readonly alliances: FindAll<AllianceRow>
}>()("killmaild/store/EntityReader") {
  static readonly layer = Layer.effect(
    EntityReader,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const characters: FindAll<CharacterRow> = (ids) =>
        Effect.map(
          sql<CharacterRow>`
            select character_id::float8, name, corporation_id::float8, alliance_id::float8, faction_id::float8,
              security_status, seen_at, refreshed_at, deleted_at
            from characters
            where character_id = any(${pgArray(ids)}::bigint[])`,
          (rows) => new Map(rows.map((row) => [row.character_id, row]))
        )

      const groups: FindAll<CharacterGroup> = (ids) =>
        Effect.map(
          sql<CharacterGroup & { readonly character_id: number }>`
            with wanted as (
              select id as character_id, coalesce(main_character_id, id) as main_character_id
              from unnest(${pgArray(ids)}::bigint[]) asked(id)
              left join character_groups on character_groups.character_id = asked.id
            )
            select wanted.character_id::float8, main_character_id::float8,
              json_agg(character_groups.character_id order by character_groups.character_id) as alts
            from wanted
            join character_groups using (main_character_id)
            group by wanted.character_id, main_character_id`,
          (rows) => new Map(rows.map(({ character_id, ...group }) => [character_id, group]))
        )

      const corporations: FindAll<CorporationRow> = (ids) =>
        Effect.map(
          sql<CorporationRow>`
            select corporation_id::float8, name, ticker, alliance_id::float8, faction_id::float8, seen_at, refreshed_at,
              deleted_at
            from corporations
            where corporation_id = any(${pgArray(ids)}::bigint[])
            union all
            select corporation_id, name, ticker, null, faction_id, null, null, null
            from npc_corporations
            where corporation_id = any(${pgArray(ids)}::bigint[])`,
          (rows) => new Map(rows.map((row) => [row.corporation_id, row]))
        )

      const alliances: FindAll<AllianceRow> = (ids) =>
        Effect.map(
          sql<AllianceRow>`
            select alliance_id::float8, name, ticker, seen_at, refreshed_at, deleted_at
            from alliances
            where alliance_id = any(${pgArray(ids)}::bigint[])`,
          (rows) => new Map(rows.map((row) => [row.alliance_id, row]))
        )

      return EntityReader.of({
        character: one(characters),
        characters,
        group: one(groups),
        groups,
        corporation: one(corporations),
        corporations,
        alliance: one(alliances),
        alliances
      })
    })
  )
}

const one = <Row>(find: FindAll<Row>): Find<Row> => (id) =>
  Effect.map(find([id]), (rows) => Option.fromNullishOr(rows.get(id)))
