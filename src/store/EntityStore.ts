/**
 * Characters, corporations and alliances: noted from the killmails that name them, asked of ESI when they are unknown or a
 * week old, and kept as ESI answered. Who of them is wanted is decided in migration 0007.
 */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { pgArray, pgColumn } from "./PgArray.ts"
import { pgText } from "./PgText.ts"

export type EntityKind = "character" | "corporation" | "alliance"

type Write<A> = (rows: ReadonlyArray<A>) => Effect.Effect<void, SqlError.SqlError>

/** As ESI writes it; what is absent is none. */
interface Affiliation {
  readonly corporation_id: number
  readonly alliance_id?: number
  readonly faction_id?: number
}

export class EntityStore extends Context.Service<EntityStore, {
  /**
   * Notes whom the next publications name, at most `most` of them, and what they tell. Returns how many publications it
   * was; what was committed before the call, or was about to be, is among them.
   */
  readonly notePublications: (most: number) => Effect.Effect<number, SqlError.SqlError>
  /** Whom ESI is to be asked about now, those first that a killmail named last. */
  readonly wanted: (kind: EntityKind, most: number) => Effect.Effect<ReadonlyArray<number>, SqlError.SqlError>
  /** Those of these characters whose affiliation is more than a week old. */
  readonly longUnseen: (
    characterIds: ReadonlyArray<number>
  ) => Effect.Effect<ReadonlyArray<number>, SqlError.SqlError>
  /** How many ESI is still to be asked about. */
  readonly countWanted: Effect.Effect<Readonly<Record<EntityKind, number>>, SqlError.SqlError>

  /** The names of characters, who are not wanted any more. */
  readonly keepNames: Write<{ readonly id: number; readonly name: string }>
  /** Changes those that no killmail named for a week. */
  readonly keepAffiliations: Write<Affiliation & { readonly character_id: number }>
  readonly keepCorporations: Write<{
    readonly id: number
    readonly name: string
    readonly ticker: string
    readonly alliance_id?: number
    readonly enlisted_faction_id?: number
    readonly isClosed: boolean
  }>
  readonly keepAlliances: Write<{
    readonly id: number
    readonly name: string
    readonly ticker: string
    readonly isClosed: boolean
  }>
  /** ESI knows them no more: they keep the name that they had, and are not wanted until a newer killmail names them. */
  readonly markDeleted: (kind: EntityKind, ids: ReadonlyArray<number>) => Effect.Effect<void, SqlError.SqlError>
  /** ESI failed on these alone: they are wanted again in an hour. */
  readonly putOff: (kind: EntityKind, ids: ReadonlyArray<number>) => Effect.Effect<void, SqlError.SqlError>
}>()("killmaild/store/EntityStore") {
  static readonly layer = Layer.effect(
    EntityStore,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const tableOf = (kind: EntityKind) => sql(`${kind}s`)
      const idOf = (kind: EntityKind) => sql(`${kind}_id`)
      // Locked by id, as killmails note them: else two writers might wait for each other's next row.
      const locked = (kind: EntityKind, ids: ReadonlyArray<number>) =>
        sql`(
          select ${idOf(kind)} as id
          from ${tableOf(kind)}
          where ${idOf(kind)} = any(${pgArray(ids)}::bigint[])
          order by id
          for update
        ) locked`

      // Whoever publishes while the job for it is waiting relies on that job, and commits under this lock.
      const notePublications: EntityStore["Service"]["notePublications"] = (most) =>
        Effect.andThen(
          sql`select lock_publications()`,
          Effect.map(
            sql<{ noted: number }>`select note_publications(${most}::integer) as noted`,
            ([row]) => row!.noted
          )
        )

      const wanted: EntityStore["Service"]["wanted"] = (kind, most) =>
        Effect.map(
          sql<{ id: number }>`
            select ${idOf(kind)}::float8 as id
            from ${tableOf(kind)}
            where wanted_from <= now()
            order by seen_at desc
            limit ${most}`,
          (rows) => rows.map(({ id }) => id)
        )

      const longUnseen: EntityStore["Service"]["longUnseen"] = (characterIds) =>
        Effect.map(
          sql<{ id: number }>`
            select character_id::float8 as id
            from characters
            where character_id = any(${pgArray(characterIds)}::bigint[]) and seen_at < now() - interval '7 days'`,
          (rows) => rows.map(({ id }) => id)
        )

      const countWanted = Effect.map(
        sql<Record<EntityKind, number>>`
          select
            (select count(*)::int from characters where wanted_from is not null) as character,
            (select count(*)::int from corporations where wanted_from is not null) as corporation,
            (select count(*)::int from alliances where wanted_from is not null) as alliance`,
        ([row]) => row!
      )

      const keepNames: EntityStore["Service"]["keepNames"] = (rows) =>
        Effect.asVoid(sql`
          update characters
          set name = answer.name, refreshed_at = now(), wanted_from = null
          from ${locked("character", idsOf(rows))}
          join unnest(
            ${pgColumn(rows, ({ id }) => id)}::bigint[],
            ${pgColumn(rows, ({ name }) => pgText(name))}::text[]
          ) as answer(id, name) using (id)
          where character_id = id`)

      // What a killmail tells is newer than ESI's answer, which may be an hour old. Deleted characters are in Doomheim.
      const keepAffiliations: EntityStore["Service"]["keepAffiliations"] = (rows) =>
        Effect.asVoid(sql`
          update characters
          set corporation_id = answer.corporation_id, alliance_id = answer.alliance_id, faction_id = answer.faction_id,
            seen_at = now() - interval '1 hour',
            deleted_at = case when answer.corporation_id = 1000001 then coalesce(deleted_at, now()) end
          from ${locked("character", rows.map((row) => row.character_id))}
          join unnest(
            ${pgColumn(rows, (row) => row.character_id)}::bigint[],
            ${pgColumn(rows, (row) => row.corporation_id)}::bigint[],
            ${pgColumn(rows, (row) => row.alliance_id)}::bigint[],
            ${pgColumn(rows, (row) => row.faction_id)}::bigint[]
          ) as answer(id, corporation_id, alliance_id, faction_id) using (id)
          where character_id = id and seen_at < now() - interval '7 days'`)

      const keepCorporations: EntityStore["Service"]["keepCorporations"] = (rows) =>
        Effect.asVoid(sql`
          update corporations
          set name = answer.name, ticker = answer.ticker, faction_id = answer.faction_id,
            alliance_id = case when seen_at < now() - interval '1 hour' then answer.alliance_id
              else corporations.alliance_id end,
            seen_at = greatest(seen_at, now() - interval '1 hour'), refreshed_at = now(), wanted_from = null,
            deleted_at = case when answer.is_closed then coalesce(deleted_at, now()) end
          from ${locked("corporation", idsOf(rows))}
          join unnest(
            ${pgColumn(rows, (row) => row.id)}::bigint[],
            ${pgColumn(rows, (row) => pgText(row.name))}::text[],
            ${pgColumn(rows, (row) => pgText(row.ticker))}::text[],
            ${pgColumn(rows, (row) => row.alliance_id)}::bigint[],
            ${pgColumn(rows, (row) => row.enlisted_faction_id)}::bigint[],
            ${pgColumn(rows, (row) => row.isClosed)}::boolean[]
          ) as answer(id, name, ticker, alliance_id, faction_id, is_closed) using (id)
          where corporation_id = id`)

      const keepAlliances: EntityStore["Service"]["keepAlliances"] = (rows) =>
        Effect.asVoid(sql`
          update alliances
          set name = answer.name, ticker = answer.ticker, refreshed_at = now(), wanted_from = null,
            deleted_at = case when answer.is_closed then coalesce(deleted_at, now()) end
          from ${locked("alliance", idsOf(rows))}
          join unnest(
            ${pgColumn(rows, (row) => row.id)}::bigint[],
            ${pgColumn(rows, (row) => pgText(row.name))}::text[],
            ${pgColumn(rows, (row) => pgText(row.ticker))}::text[],
            ${pgColumn(rows, (row) => row.isClosed)}::boolean[]
          ) as answer(id, name, ticker, is_closed) using (id)
          where alliance_id = id`)

      const markDeleted: EntityStore["Service"]["markDeleted"] = (kind, ids) =>
        Effect.asVoid(sql`
          update ${tableOf(kind)}
          set deleted_at = coalesce(deleted_at, now()), refreshed_at = now(), wanted_from = null
          from ${locked(kind, ids)}
          where ${idOf(kind)} = id`)

      const putOff: EntityStore["Service"]["putOff"] = (kind, ids) =>
        Effect.asVoid(sql`
          update ${tableOf(kind)}
          set wanted_from = now() + interval '1 hour'
          from ${locked(kind, ids)}
          where ${idOf(kind)} = id`)

      return EntityStore.of({
        notePublications,
        wanted,
        longUnseen,
        countWanted,
        keepNames,
        keepAffiliations,
        keepCorporations,
        keepAlliances,
        markDeleted,
        putOff
      })
    })
  )
}

const idsOf = (rows: ReadonlyArray<{ readonly id: number }>): ReadonlyArray<number> => rows.map(({ id }) => id)
