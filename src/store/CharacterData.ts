/** What ESI tells of pilots' characters: the document of each kind as it is now, and what changed in it. */
import { Context, Effect, Layer, Option, type Schema } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { type NotificationKind, Notifications, toggles } from "./Notifications.ts"

export const characterDataKinds = ["skills", "mail", "orders", "industry", "planets"] as const
export type CharacterDataKind = typeof characterDataKinds[number]

/** Of ESI's answer for a path; times in milliseconds since 1970. */
export interface KnownAnswer {
  readonly etag?: string | undefined
  readonly asked_at: number
  readonly fresh_until: number
}
export type KnownAnswers = Readonly<Record<string, KnownAnswer>>

/** What is known when a sync begins. */
export interface Known {
  readonly data: Schema.Json
  readonly answers: KnownAnswers
  /** Of the sync before. */
  readonly synced_at: Date | null
  /** What EVE's SSO lets us ask for. */
  readonly scopes: ReadonlyArray<string>
  /** Milliseconds since the user was last seen here. */
  readonly unseen_millis: number
}

/** One thing that happened to a character. */
export interface Change {
  /** Such as `skill_done`; those that are kinds of notifications are told, too. */
  readonly change: string
  /** With the change, what makes two of a character the same: such as the order's id. */
  readonly subject: string
  /** When it happened, as far as ESI tells; else when it was noticed. */
  readonly at: string
  readonly data: Schema.JsonObject
}

export interface NotedChange extends Omit<Change, "subject" | "at"> {
  readonly id: number
  readonly character_id: number
  readonly kind: CharacterDataKind
  readonly at: Date
  readonly noticed_at: Date
}

export interface ShownData {
  readonly data: Schema.Json
  readonly synced_at: Date | null
  readonly changed_at: Date | null
  readonly due_at: Date
}

export class CharacterData extends Context.Service<CharacterData, {
  /** Characters with a token for these scopes whose document is to be asked for now, the longest due first. */
  readonly due: (
    kind: CharacterDataKind,
    scopes: ReadonlyArray<string>,
    limit: number
  ) => Effect.Effect<ReadonlyArray<number>, SqlError.SqlError>
  /** What is known; whatever becomes of this sync, the next one is due in so many milliseconds. None without a token. */
  readonly begin: (
    characterId: number,
    kind: CharacterDataKind,
    dueMillis: number
  ) => Effect.Effect<Option.Option<Known>, SqlError.SqlError>
  /**
   * Stores the document with its changes and, as far as the user wants to be told, their notifications: all or nothing.
   * Nothing, when another sync stored one meanwhile, or the character left. Returns how many changes are new.
   */
  readonly keep: (
    characterId: number,
    kind: CharacterDataKind,
    synced: {
      readonly known: Pick<Known, "synced_at">
      /** Up to when the changes are: what comes after it is the next sync's. */
      readonly synced_at: Date
      readonly data: Schema.Json
      readonly answers: KnownAnswers
      readonly changes: ReadonlyArray<Change>
      readonly dueMillis: number
    }
  ) => Effect.Effect<number, SqlError.SqlError>
  /** None for a character that is not the user's. */
  readonly find: (
    userId: string,
    characterId: number,
    kind: CharacterDataKind
  ) => Effect.Effect<Option.Option<ShownData>, SqlError.SqlError>
  /** Of the user's characters, or of one, newest first, before the one with the id `before`. */
  readonly changes: (
    userId: string,
    page: {
      readonly characterId?: number | undefined
      readonly kind?: CharacterDataKind | undefined
      readonly before?: number | undefined
      readonly limit: number
    }
  ) => Effect.Effect<ReadonlyArray<NotedChange>, SqlError.SqlError>
  /** Of all of the user's characters, for an export. */
  readonly all: (
    userId: string
  ) => Effect.Effect<
    ReadonlyArray<ShownData & { readonly character_id: number; readonly kind: CharacterDataKind }>,
    SqlError.SqlError
  >
}>()("killmaild/store/CharacterData") {
  static readonly layerNoDeps = Layer.effect(
    CharacterData,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const notifications = yield* Notifications

      const due: CharacterData["Service"]["due"] = (kind, scopes, limit) =>
        Effect.map(
          sql<{ character_id: number }>`
            select user_tokens.character_id::float8
            from user_tokens
              left join character_data on character_data.character_id = user_tokens.character_id and kind = ${kind}
            where scopes @> ${[...scopes]}::text[] and (due_at is null or due_at <= now())
            order by due_at nulls first
            limit ${limit}`,
          (rows) => rows.map(({ character_id }) => character_id)
        )

      const begin: CharacterData["Service"]["begin"] = (characterId, kind, dueMillis) =>
        Effect.map(
          sql<Known>`
            insert into character_data (character_id, kind, due_at)
            select character_id, ${kind}, now() + ${dueMillis}::float8 * interval '1 ms'
            from user_tokens
            where character_id = ${BigInt(characterId)}
            on conflict (character_id, kind) do update set due_at = excluded.due_at
            returning data, answers, synced_at,
              (select scopes from user_tokens where user_tokens.character_id = character_data.character_id),
              (
                select extract(epoch from now() - greatest(max(used_at), max(added_at)))::float8 * 1000
                from user_characters left join sessions using (user_id)
                where user_characters.character_id = character_data.character_id
              ) as unseen_millis`,
          ([row]) => Option.fromNullishOr(row)
        )

      const keep: CharacterData["Service"]["keep"] = Effect.fn("CharacterData.keep")(
        function*(characterId, kind, { answers, changes, data, dueMillis, known, synced_at }) {
          const id = BigInt(characterId)
          const [owner] = yield* sql<{ user_id: string }>`
            select user_id from user_characters where character_id = ${id} for key share`
          if (owner === undefined) return 0
          const document = JSON.stringify(data)
          const kept = yield* sql`
            update character_data
            set data = ${document}::jsonb,
              answers = ${JSON.stringify(answers)}::jsonb,
              synced_at = ${synced_at.toISOString()}::timestamptz,
              changed_at = case when data is distinct from ${document}::jsonb then now() else changed_at end,
              due_at = now() + ${dueMillis}::float8 * interval '1 ms'
            where character_id = ${id} and kind = ${kind}
              and synced_at is not distinct from ${known.synced_at}::timestamptz
            returning 1`
          if (kept.length === 0) return 0
          const noted = yield* sql<Pick<Change, "change" | "subject" | "data">>`
            insert into character_changes (character_id, kind, change, subject, at, data)
            select ${id}, ${kind}, change, subject, at, data
            from rows from (
                jsonb_to_recordset(${JSON.stringify(changes)}::jsonb)
                as (change text, subject text, at timestamptz, data jsonb)
              ) with ordinality as noted(change, subject, at, data, position)
            order by position
            on conflict (character_id, change, subject) do nothing
            returning change, subject, data`
          yield* notifications.add(
            noted.filter(({ change }) => isTold(change)).map(({ change, data, subject }) => ({
              user_id: owner.user_id,
              character_id: characterId,
              kind: change as NotificationKind,
              subject: `${characterId}:${subject}`,
              data
            }))
          )
          return noted.length
        },
        (transaction) => sql.withTransaction(transaction)
      )

      const find: CharacterData["Service"]["find"] = (userId, characterId, kind) =>
        Effect.map(
          sql<ShownData>`
            select data, synced_at, changed_at, coalesce(due_at, now()) as due_at
            from user_characters
              left join character_data
                on character_data.character_id = user_characters.character_id and kind = ${kind}
            where user_characters.character_id = ${BigInt(characterId)} and user_id = ${userId}::uuid`,
          ([row]) => Option.fromNullishOr(row)
        )

      const changes: CharacterData["Service"]["changes"] = (userId, { before, characterId, kind, limit }) =>
        sql<NotedChange>`
          select id::float8, character_id::float8, kind, change, at, data, noticed_at
          from character_changes join user_characters using (character_id)
          where ${
          sql.and([
            sql`user_id = ${userId}::uuid`,
            ...(characterId === undefined ? [] : [sql`character_id = ${BigInt(characterId)}`]),
            ...(kind === undefined ? [] : [sql`kind = ${kind}`]),
            ...(before === undefined ? [] : [sql`id < ${before}::bigint`])
          ])
        }
          order by id desc
          limit ${limit}`

      const all: CharacterData["Service"]["all"] = (userId) =>
        sql<ShownData & { readonly character_id: number; readonly kind: CharacterDataKind }>`
          select character_id::float8, kind, data, synced_at, changed_at, due_at
          from character_data join user_characters using (character_id)
          where user_id = ${userId}::uuid and data is not null
          order by character_id, kind`

      return CharacterData.of({ due, begin, keep, find, changes, all })
    })
  )

  static readonly layer = CharacterData.layerNoDeps.pipe(Layer.provide(Notifications.layer))
}

const isTold = (change: string): change is NotificationKind => Object.hasOwn(toggles, change)
