/** Pilots with a token: whose killmails are to be asked for now, and in which corporation they are, whose director or not. */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { pgColumn } from "./PgArray.ts"

/** A pilot whose killmails are to be asked for. */
export interface DuePilot {
  readonly character_id: number
  readonly is_preferred: boolean
}

export class KillmailPilots extends Context.Service<KillmailPilots, {
  /**
   * Pilots whose own list, or whose corporation's, is to be read now. Not those whose job is in the queue, or has failed less than
   * `failedMillis` ago; nor for a corporation that refused them less than `refusedMillis` ago.
   */
  readonly due: (options: {
    readonly most: number
    readonly refusedMillis: number
    readonly failedMillis: number
  }) => Effect.Effect<ReadonlyArray<DuePilot>, SqlError.SqlError>
  /** Pilots with a token; all of them, or this one. */
  readonly pilots: (characterId?: number) => Effect.Effect<ReadonlyArray<number>, SqlError.SqlError>

  /** Pilots of whom nobody said for so long which corporation they are in. What killmails say of late is taken over. */
  readonly unplaced: (millis: number, most: number) => Effect.Effect<ReadonlyArray<number>, SqlError.SqlError>
  readonly place: (
    pilots: ReadonlyArray<{ readonly character_id: number; readonly corporation_id: number }>
  ) => Effect.Effect<void, SqlError.SqlError>
  /** Where the pilot is, if the list may be read with their token as far as is known. */
  readonly corporationOf: (
    characterId: number,
    refusedMillis: number
  ) => Effect.Effect<Option.Option<number>, SqlError.SqlError>
  /** The pilot is no director of it. */
  readonly refuse: (characterId: number, corporationId: number) => Effect.Effect<void, SqlError.SqlError>
}>()("killmaild/store/KillmailPilots") {
  static readonly layer = Layer.effect(
    KillmailPilots,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const millisFrom = (millis: number) => sql`${millis}::float8 * interval '1 ms'`

      const due: KillmailPilots["Service"]["due"] = ({ failedMillis, most, refusedMillis }) =>
        sql<DuePilot>`
          select pilot.character_id::float8, is_preferred
          from user_characters pilot
          join user_tokens using (character_id)
          left join killmail_lists own on own.kind = 'character' and own.id = pilot.character_id
          left join killmail_lists theirs on theirs.kind = 'corporation' and theirs.id = pilot.corporation_id
          left join corporation_refusals refusal on refusal.character_id = pilot.character_id
            and refusal.corporation_id = pilot.corporation_id
            and refused_at > now() - ${millisFrom(refusedMillis)}
          where not exists (
              select from graphile_worker._private_jobs jobs
              where jobs.key = 'sync_user_killmails:' || pilot.character_id)
            and not exists (
              select from dead_letters
              where task = 'sync_user_killmails' and key = 'sync_user_killmails:' || pilot.character_id
                and at > now() - ${millisFrom(failedMillis)})
            and (
              own.id is null or own.next_at <= now()
              or is_player(pilot.corporation_id) and refusal.character_id is null and (
                theirs.id is null
                or theirs.next_at <= now() and coalesce(theirs.reading_until <= now(), true)))
          order by is_preferred desc, own.next_at nulls first
          limit ${most}`

      const pilots: KillmailPilots["Service"]["pilots"] = (characterId) =>
        Effect.map(
          sql<{ id: number }>`
            select character_id::float8 as id
            from user_tokens
            where ${characterId === undefined} or character_id = ${BigInt(characterId ?? 0)}
            order by character_id`,
          (rows) => rows.map(({ id }) => id)
        )

      const unplaced: KillmailPilots["Service"]["unplaced"] = Effect.fnUntraced(function*(millis, most) {
        const isOld = sql`coalesce(corporation_told_at <= now() - ${millisFrom(millis)}, true)`
        yield* sql`
          update user_characters pilot
          set corporation_id = known.corporation_id, corporation_told_at = known.seen_at
          from characters known
          where known.character_id = pilot.character_id and known.seen_at > now() - ${millisFrom(millis)} and ${isOld}`
        const rows = yield* sql<{ id: number }>`
          select character_id::float8 as id
          from user_characters join user_tokens using (character_id)
          where ${isOld}
          order by corporation_told_at nulls first
          limit ${most}`
        return rows.map(({ id }) => id)
      })

      const place: KillmailPilots["Service"]["place"] = (pilots) =>
        Effect.asVoid(sql`
          update user_characters
          set corporation_id = answer.corporation_id, corporation_told_at = now()
          from unnest(
            ${pgColumn(pilots, (pilot) => pilot.character_id)}::bigint[],
            ${pgColumn(pilots, (pilot) => pilot.corporation_id)}::bigint[]
          ) as answer(character_id, corporation_id)
          where user_characters.character_id = answer.character_id`)

      const corporationOf: KillmailPilots["Service"]["corporationOf"] = (characterId, refusedMillis) =>
        Effect.map(
          sql<{ id: number }>`
            select corporation_id::float8 as id
            from user_characters
            where character_id = ${BigInt(characterId)} and is_player(corporation_id)
              and not exists (
                select from corporation_refusals refusal
                where refusal.character_id = user_characters.character_id
                  and refusal.corporation_id = user_characters.corporation_id
                  and refused_at > now() - ${millisFrom(refusedMillis)})`,
          ([row]) => Option.fromNullishOr(row?.id)
        )

      const refuse: KillmailPilots["Service"]["refuse"] = Effect.fnUntraced(
        function*(characterId, corporationId) {
          yield* sql`
            insert into corporation_refusals (character_id, corporation_id)
            values (${BigInt(characterId)}, ${BigInt(corporationId)})
            on conflict (character_id, corporation_id) do update set refused_at = now()`
          yield* sql`
            update killmail_lists set reader_id = null, reading_until = null
            where kind = 'corporation' and id = ${BigInt(corporationId)} and reader_id = ${BigInt(characterId)}`
        },
        (transaction) => sql.withTransaction(transaction)
      )

      return KillmailPilots.of({ due, pilots, unplaced, place, corporationOf, refuse })
    })
  )
}
