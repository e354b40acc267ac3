/**
 * The tokens that EVE's SSO gave us for pilots' characters, encrypted, with the lease that makes sure of one refresh at a time
 * over all replicas. What they say is known to src/accounts/ alone.
 */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"

/** As it lies in the table. */
export interface SealedTokens {
  readonly key_id: string
  readonly refresh_token: Uint8Array
  readonly access_token: Uint8Array
}

export interface KeptTokens extends SealedTokens {
  readonly character_id: number
  readonly owner_hash: string
  readonly scopes: ReadonlyArray<string>
  /** The access token has expired, or is about to. */
  readonly is_stale: boolean
  /** Milliseconds until the refresh under way, if any, has failed for certain. */
  readonly leased_for: number
}

export class UserTokens extends Context.Service<UserTokens, {
  /** After a sign-in: in the place of what there was; a refresh under way is void. */
  readonly put: (
    characterId: number,
    tokens: SealedTokens & { readonly scopes: ReadonlyArray<string>; readonly freshMillis: number }
  ) => Effect.Effect<void, SqlError.SqlError>
  readonly find: (characterId: number) => Effect.Effect<Option.Option<KeptTokens>, SqlError.SqlError>
  readonly ofUser: (userId: string) => Effect.Effect<ReadonlyArray<KeptTokens>, SqlError.SqlError>
  /** Makes this the one refresh of the character for so many milliseconds; none when there is another. */
  readonly lease: (
    characterId: number,
    leaseId: string,
    millis: number
  ) => Effect.Effect<Option.Option<KeptTokens>, SqlError.SqlError>
  /** What the refresh brought, and its end. False when it was not the one any more: then nothing is changed. */
  readonly renew: (
    characterId: number,
    leaseId: string,
    tokens: SealedTokens & { readonly freshMillis: number }
  ) => Effect.Effect<boolean, SqlError.SqlError>
  /** The refresh failed; another may begin. */
  readonly release: (characterId: number, leaseId: string) => Effect.Effect<void, SqlError.SqlError>
  /** There is no use in these tokens any more: the pilot has to sign in again. Nothing, when others came in their place. */
  readonly drop: (
    characterId: number,
    sealed: Uint8Array,
    because: "invalid_grant" | "owner_changed"
  ) => Effect.Effect<boolean, SqlError.SqlError>
  /** Characters whose tokens were not refreshed for so long, the longest waiting first. */
  readonly unrefreshed: (
    millis: number,
    limit: number
  ) => Effect.Effect<ReadonlyArray<number>, SqlError.SqlError>
  /** Some that are encrypted with another key than this one, of characters after this one. */
  readonly encryptedOtherwise: (
    keyId: string,
    after: number,
    limit: number
  ) => Effect.Effect<ReadonlyArray<KeptTokens>, SqlError.SqlError>
  /** The same tokens under another key, unless they were replaced meanwhile. */
  readonly reseal: (
    characterId: number,
    before: SealedTokens,
    after: SealedTokens
  ) => Effect.Effect<boolean, SqlError.SqlError>
  /** Under which keys there are tokens, and how many. */
  readonly keysInUse: Effect.Effect<
    ReadonlyArray<{ readonly key_id: string; readonly tokens: number }>,
    SqlError.SqlError
  >
}>()("killmaild/store/UserTokens") {
  static readonly layer = Layer.effect(
    UserTokens,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const columns = sql`
        user_tokens.character_id::float8, owner_hash, scopes, key_id, refresh_token, access_token,
        renew_at <= now() as is_stale,
        greatest(coalesce(extract(epoch from leased_until - clock_timestamp()) * 1000, 0), 0)::float8 as leased_for`

      const put: UserTokens["Service"]["put"] = Effect.fnUntraced(
        function*(characterId, { access_token, freshMillis, key_id, refresh_token, scopes }) {
          const id = BigInt(characterId)
          yield* sql`
            insert into user_tokens (character_id, scopes, key_id, refresh_token, access_token, renew_at)
            values (${id}, ${[...scopes]}::text[], ${key_id}, ${refresh_token}, ${access_token},
              now() + ${freshMillis}::float8 * interval '1 ms')
            on conflict (character_id) do update
            set scopes = excluded.scopes, key_id = excluded.key_id, refresh_token = excluded.refresh_token,
              access_token = excluded.access_token, renew_at = excluded.renew_at, refreshed_at = now(),
              lease_id = null, leased_until = null`
          yield* sql`
            update user_characters set dropped_at = null, dropped_because = null
            where character_id = ${id} and dropped_at is not null`
        },
        (transaction) => sql.withTransaction(transaction)
      )

      const find: UserTokens["Service"]["find"] = (characterId) =>
        Effect.map(
          sql<KeptTokens>`
            select ${columns}
            from user_tokens join user_characters using (character_id)
            where character_id = ${BigInt(characterId)}`,
          ([row]) => Option.fromNullishOr(row)
        )

      const ofUser: UserTokens["Service"]["ofUser"] = (userId) =>
        sql<KeptTokens>`
          select ${columns}
          from user_tokens join user_characters using (character_id)
          where user_id = ${userId}::uuid`

      const lease: UserTokens["Service"]["lease"] = (characterId, leaseId, millis) =>
        Effect.map(
          sql<KeptTokens>`
            update user_tokens
            set lease_id = ${leaseId}::uuid, leased_until = clock_timestamp() + ${millis}::float8 * interval '1 ms'
            from user_characters
            where user_tokens.character_id = ${BigInt(characterId)}
              and user_characters.character_id = user_tokens.character_id
              and (leased_until is null or leased_until <= clock_timestamp())
            returning ${columns}`,
          ([row]) => Option.fromNullishOr(row)
        )

      const renew: UserTokens["Service"]["renew"] = (
        characterId,
        leaseId,
        { access_token, freshMillis, key_id, refresh_token }
      ) =>
        Effect.map(
          sql`
            update user_tokens
            set key_id = ${key_id}, refresh_token = ${refresh_token}, access_token = ${access_token},
              renew_at = now() + ${freshMillis}::float8 * interval '1 ms', refreshed_at = now(),
              lease_id = null, leased_until = null
            where character_id = ${BigInt(characterId)} and lease_id = ${leaseId}::uuid
            returning 1`,
          (rows) => rows.length === 1
        )

      const release: UserTokens["Service"]["release"] = (characterId, leaseId) =>
        Effect.asVoid(sql`
          update user_tokens set lease_id = null, leased_until = null
          where character_id = ${BigInt(characterId)} and lease_id = ${leaseId}::uuid`)

      const drop: UserTokens["Service"]["drop"] = (characterId, sealed, because) =>
        Effect.map(
          sql`
            with dropped as (
              delete from user_tokens
              where character_id = ${BigInt(characterId)} and refresh_token = ${sealed}
              returning character_id
            )
            update user_characters set dropped_at = now(), dropped_because = ${because}
            from dropped
            where user_characters.character_id = dropped.character_id
            returning 1`,
          (rows) => rows.length === 1
        )

      const unrefreshed: UserTokens["Service"]["unrefreshed"] = (millis, limit) =>
        Effect.map(
          sql<{ character_id: number }>`
            select character_id::float8
            from user_tokens
            where refreshed_at < now() - ${millis}::float8 * interval '1 ms'
            order by refreshed_at
            limit ${limit}`,
          (rows) => rows.map(({ character_id }) => character_id)
        )

      const encryptedOtherwise: UserTokens["Service"]["encryptedOtherwise"] = (keyId, after, limit) =>
        sql<KeptTokens>`
          select ${columns}
          from user_tokens join user_characters using (character_id)
          where key_id <> ${keyId} and character_id > ${BigInt(after)}
          order by character_id
          limit ${limit}`

      const reseal: UserTokens["Service"]["reseal"] = (characterId, before, after) =>
        Effect.map(
          sql`
            update user_tokens
            set key_id = ${after.key_id}, refresh_token = ${after.refresh_token}, access_token = ${after.access_token}
            where character_id = ${BigInt(characterId)} and refresh_token = ${before.refresh_token}
            returning 1`,
          (rows) => rows.length === 1
        )

      const keysInUse = sql<{ key_id: string; tokens: number }>`
        select key_id, count(*)::int as tokens from user_tokens group by key_id order by key_id`

      return UserTokens.of({
        put,
        find,
        ofUser,
        lease,
        renew,
        release,
        drop,
        unrefreshed,
        encryptedOtherwise,
        reseal,
        keysInUse
      })
    })
  )
}
