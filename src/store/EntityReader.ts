/** Reads what is known of a character, a corporation or an alliance. */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"

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

const first = <Row>(rows: ReadonlyArray<Row>) => Option.fromNullishOr(rows[0])

export class EntityReader extends Context.Service<EntityReader, {
  readonly character: Find<CharacterRow>
  /** A players' one, or an NPC corporation of the static data. */
  readonly corporation: Find<CorporationRow>
  readonly alliance: Find<AllianceRow>
}>()("killmaild/store/EntityReader") {
  static readonly layer = Layer.effect(
    EntityReader,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const character: Find<CharacterRow> = (id) =>
        Effect.map(
          sql<CharacterRow>`
            select character_id::float8, name, corporation_id::float8, alliance_id::float8, faction_id::float8,
              security_status, seen_at, refreshed_at, deleted_at
            from characters
            where character_id = ${BigInt(id)}`,
          first
        )

      const corporation: Find<CorporationRow> = (id) =>
        Effect.map(
          sql<CorporationRow>`
            select corporation_id::float8, name, ticker, alliance_id::float8, faction_id::float8, seen_at, refreshed_at,
              deleted_at
            from corporations
            where corporation_id = ${BigInt(id)}
            union all
            select corporation_id, name, ticker, null, faction_id, null, null, null
            from npc_corporations
            where corporation_id = ${BigInt(id)}`,
          first
        )

      const alliance: Find<AllianceRow> = (id) =>
        Effect.map(
          sql<AllianceRow>`
            select alliance_id::float8, name, ticker, seen_at, refreshed_at, deleted_at
            from alliances
            where alliance_id = ${BigInt(id)}`,
          first
        )

      return EntityReader.of({ character, corporation, alliance })
    })
  )
}
