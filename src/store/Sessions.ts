/**
 * Sessions of those who signed in: a token that lives for minutes, and one that renews both, once. Only their hashes are kept. A
 * token for renewal that comes a second time was stolen, and ends its session.
 */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"

export const deviceTypes = ["browser", "desktop", "android", "ios"] as const
export type DeviceType = typeof deviceTypes[number]

export interface Device {
  readonly deviceType: DeviceType
  /** Where its messages go: of Firebase Cloud Messaging. */
  readonly pushToken: string | null
}

/** Hashes of the two tokens, and how long they live, in milliseconds. */
export interface HashedTokens {
  readonly accessHash: Uint8Array
  readonly accessMillis: number
  readonly refreshHash: Uint8Array
  readonly refreshMillis: number
}

export interface Session {
  readonly id: string
  readonly device_type: DeviceType
  readonly has_push_token: boolean
  readonly created_at: Date
  readonly used_at: Date
  readonly expires_at: Date
}

export class Sessions extends Context.Service<Sessions, {
  readonly create: (
    userId: string,
    device: Device,
    tokens: HashedTokens
  ) => Effect.Effect<string, SqlError.SqlError>
  /** Whose access token it is. */
  readonly find: (
    accessHash: Uint8Array
  ) => Effect.Effect<Option.Option<{ readonly userId: string; readonly sessionId: string }>, SqlError.SqlError>
  /** Other tokens in the place of those; `reused` ends the session. */
  readonly rotate: (
    refreshHash: Uint8Array,
    tokens: HashedTokens
  ) => Effect.Effect<"rotated" | "reused" | "unknown", SqlError.SqlError>
  readonly list: (userId: string) => Effect.Effect<ReadonlyArray<Session>, SqlError.SqlError>
  readonly describe: (sessionId: string, device: Partial<Device>) => Effect.Effect<void, SqlError.SqlError>
  /** The device takes no messages at this token any more; nothing, when it has told another meanwhile. */
  readonly dropPushToken: (sessionId: string, pushToken: string) => Effect.Effect<void, SqlError.SqlError>
  /** One of the user's, or all; returns how many. */
  readonly revoke: (userId: string, sessionId?: string) => Effect.Effect<number, SqlError.SqlError>
}>()("killmaild/store/Sessions") {
  static readonly layer = Layer.effect(
    Sessions,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const inMillis = (millis: number) => sql`now() + ${millis}::float8 * interval '1 ms'`

      const create: Sessions["Service"]["create"] = (userId, { deviceType, pushToken }, tokens) =>
        Effect.map(
          sql<{ id: string }>`
            insert into sessions (user_id, access_hash, access_expires_at, refresh_hash, expires_at, device_type, push_token)
            values (${userId}::uuid, ${tokens.accessHash}, ${inMillis(tokens.accessMillis)}, ${tokens.refreshHash},
              ${inMillis(tokens.refreshMillis)}, ${deviceType}, ${pushToken})
            returning id`,
          ([row]) => row!.id
        )

      const find: Sessions["Service"]["find"] = (accessHash) =>
        Effect.map(
          sql<{ userId: string; sessionId: string }>`
            select user_id as "userId", id as "sessionId"
            from sessions
            where access_hash = ${accessHash} and access_expires_at > now() and expires_at > now()`,
          ([row]) => Option.fromNullishOr(row)
        )

      const rotate: Sessions["Service"]["rotate"] = Effect.fnUntraced(
        function*(refreshHash, tokens) {
          const [rotated] = yield* sql<{ id: string }>`
            update sessions
            set access_hash = ${tokens.accessHash}, access_expires_at = ${inMillis(tokens.accessMillis)},
              refresh_hash = ${tokens.refreshHash}, expires_at = ${inMillis(tokens.refreshMillis)}, used_at = now()
            where refresh_hash = ${refreshHash} and expires_at > now()
            returning id`
          if (rotated !== undefined) {
            yield* sql`
              insert into rotated_refresh_tokens (hash, session_id) values (${refreshHash}, ${rotated.id}::uuid)`
            return "rotated"
          }
          const reused = yield* sql`
            delete from sessions
            where id = (select session_id from rotated_refresh_tokens where hash = ${refreshHash})
            returning 1`
          return reused.length > 0 ? "reused" : "unknown"
        },
        (transaction) => sql.withTransaction(transaction)
      )

      const list: Sessions["Service"]["list"] = (userId) =>
        sql<Session>`
          select id, device_type, push_token is not null as has_push_token, created_at, used_at, expires_at
          from sessions
          where user_id = ${userId}::uuid and expires_at > now()
          order by used_at desc, id`

      const describe: Sessions["Service"]["describe"] = (sessionId, { deviceType, pushToken }) =>
        Effect.asVoid(sql`
          update sessions
          set device_type = coalesce(${deviceType ?? null}, device_type),
            push_token = case when ${pushToken !== undefined} then ${pushToken ?? null} else push_token end
          where id = ${sessionId}::uuid`)

      const dropPushToken: Sessions["Service"]["dropPushToken"] = (sessionId, pushToken) =>
        Effect.asVoid(
          sql`update sessions set push_token = null where id = ${sessionId}::uuid and push_token = ${pushToken}`
        )

      const revoke: Sessions["Service"]["revoke"] = (userId, sessionId) =>
        Effect.map(
          sql`
            delete from sessions
            where user_id = ${userId}::uuid and (${sessionId ?? null}::uuid is null or id = ${sessionId ?? null}::uuid)
            returning 1`,
          (rows) => rows.length
        )

      return Sessions.of({ create, find, rotate, list, describe, dropPushToken, revoke })
    })
  )
}
