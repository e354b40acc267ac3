/** Who signed in, with which characters, and what is remembered on the way to EVE's SSO and back. */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"

export interface User {
  readonly id: string
  readonly created_at: Date
  readonly email: string | null
  readonly tier: "free" | "premium"
  readonly subscription_status: "active" | "canceled" | "expired" | null
  readonly subscription_ends_at: Date | null
}

export interface UserCharacter {
  readonly character_id: number
  readonly name: string
  readonly added_at: Date
  /** What EVE's SSO lets us ask for it; empty when there is no token. */
  readonly scopes: ReadonlyArray<string>
  readonly refreshed_at: Date | null
  readonly dropped_at: Date | null
  readonly dropped_because: "invalid_grant" | "owner_changed" | null
  /** When each of its jobs was last done, by task, of the last 7 days. */
  readonly synced: Readonly<Record<string, string>>
}

/** Who stands behind an access token of EVE's SSO. */
export interface Pilot {
  readonly characterId: number
  readonly name: string
  readonly ownerHash: string
}

/** One way to the SSO and back. */
export interface SignIn {
  /** Who adds a character; null for who signs in. */
  readonly user_id: string | null
  readonly return_to: string
  readonly app_state: string | null
  readonly app_challenge: string | null
}

export class Users extends Context.Service<Users, {
  /** Remembers, for so many milliseconds, that this browser goes to sign in. */
  readonly begin: (
    signIn: SignIn & { readonly stateHash: Uint8Array; readonly browserHash: Uint8Array; readonly millis: number }
  ) => Effect.Effect<void, SqlError.SqlError>
  /** The same, once; none for another browser's, and for what is too old. */
  readonly finish: (
    stateHash: Uint8Array,
    browserHash: Uint8Array
  ) => Effect.Effect<Option.Option<SignIn>, SqlError.SqlError>
  /**
   * The user whose character this is: of `userId`, or else the one it has, or a new one. A character with another owner
   * leaves the user that it had. None when it is another user's than `userId`.
   */
  readonly welcome: (pilot: Pilot, userId: string | null) => Effect.Effect<Option.Option<string>, SqlError.SqlError>
  readonly find: (userId: string) => Effect.Effect<Option.Option<User>, SqlError.SqlError>
  readonly characters: (userId: string) => Effect.Effect<ReadonlyArray<UserCharacter>, SqlError.SqlError>
  /** Takes a character away, with all that is known for it alone; not the last one. */
  readonly removeCharacter: (userId: string, characterId: number) => Effect.Effect<boolean, SqlError.SqlError>
  /** The user and all that is theirs. */
  readonly remove: (userId: string) => Effect.Effect<void, SqlError.SqlError>
  /** What an app is handed, to be given back within so many milliseconds. */
  readonly handOver: (
    code: {
      readonly codeHash: Uint8Array
      readonly userId: string
      readonly challenge: string
      readonly millis: number
    }
  ) => Effect.Effect<void, SqlError.SqlError>
  /** Whose code it is, once. */
  readonly takeOver: (
    codeHash: Uint8Array
  ) => Effect.Effect<Option.Option<{ readonly user_id: string; readonly challenge: string }>, SqlError.SqlError>
}>()("killmaild/store/Users") {
  static readonly layer = Layer.effect(
    Users,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const begin: Users["Service"]["begin"] = (signIn) =>
        sql`
          insert into sign_ins (state_hash, browser_hash, user_id, return_to, app_state, app_challenge, expires_at)
          values (${signIn.stateHash}, ${signIn.browserHash}, ${signIn.user_id}::uuid, ${signIn.return_to},
            ${signIn.app_state}, ${signIn.app_challenge}, now() + ${signIn.millis}::float8 * interval '1 ms')
        `.pipe(Effect.asVoid)

      const finish: Users["Service"]["finish"] = (stateHash, browserHash) =>
        Effect.map(
          sql<SignIn & { readonly is_fresh: boolean }>`
            delete from sign_ins
            where state_hash = ${stateHash} and browser_hash = ${browserHash}
            returning user_id, return_to, app_state, app_challenge, expires_at > now() as is_fresh`,
          ([row]) => row?.is_fresh === true ? Option.some(row) : Option.none()
        )

      const create = Effect.map(
        sql<{ id: string }>`
          with created as (insert into users default values returning id),
          settings as (insert into user_settings (user_id) select id from created)
          select id from created`,
        ([row]) => row!.id
      )

      const welcome: Users["Service"]["welcome"] = Effect.fn("Users.welcome")(
        function*({ characterId, name, ownerHash }, userId) {
          const id = BigInt(characterId)
          // Two sign-ins of one character at once are one after the other.
          yield* sql`select pg_advisory_xact_lock(hashtext('killmaild:welcome'), hashtext(${String(characterId)}))`
          const [sold] = yield* sql<{ user_id: string }>`
            delete from user_characters
            where character_id = ${id} and owner_hash <> ${ownerHash}
            returning user_id`
          if (sold !== undefined) yield* removeIfNobody(sold.user_id)
          const [known] = yield* sql<{ user_id: string }>`
            select user_id from user_characters where character_id = ${id}`
          if (known !== undefined && userId !== null && known.user_id !== userId) return Option.none()
          const user = known?.user_id ?? userId ?? (yield* create)
          yield* sql`
            insert into user_characters (character_id, user_id, name, owner_hash)
            values (${id}, ${user}::uuid, ${name}, ${ownerHash})
            on conflict (character_id) do update set name = excluded.name`
          // It may have become a director since.
          yield* sql`delete from corporation_refusals where character_id = ${id}`
          return Option.some(user)
        },
        (transaction) => sql.withTransaction(transaction)
      )

      /** The seller's user, where the character was its only one. */
      const removeIfNobody = (userId: string) =>
        sql`
          delete from users
          where id = ${userId}::uuid and not exists (select from user_characters where user_id = ${userId}::uuid)`

      const find: Users["Service"]["find"] = (userId) =>
        Effect.map(
          sql<User>`
            select id, created_at, email, tier, subscription_status, subscription_ends_at
            from users
            where id = ${userId}::uuid`,
          ([user]) => Option.fromNullishOr(user)
        )

      const characters: Users["Service"]["characters"] = (userId) =>
        sql<UserCharacter>`
          select character_id::float8, name, added_at, coalesce(scopes, '{}') as scopes, refreshed_at, dropped_at,
            dropped_because,
            (
              select coalesce(json_object_agg(task, completed_at), '{}')
              from (
                select task, to_char(max(completed_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as completed_at
                from job_runs
                where job_runs.character_id = user_characters.character_id and status = 'completed'
                group by task
              ) runs
            ) as synced
          from user_characters left join user_tokens using (character_id)
          where user_id = ${userId}::uuid
          order by added_at, character_id`

      const removeCharacter: Users["Service"]["removeCharacter"] = Effect.fnUntraced(
        function*(userId, characterId) {
          yield* sql`select from users where id = ${userId}::uuid for update`
          const removed = yield* sql`
            delete from user_characters
            where character_id = ${BigInt(characterId)} and user_id = ${userId}::uuid
              and exists (
                select from user_characters other
                where other.user_id = ${userId}::uuid and other.character_id <> ${BigInt(characterId)})
            returning 1`
          return removed.length === 1
        },
        (transaction) => sql.withTransaction(transaction)
      )

      const remove: Users["Service"]["remove"] = (userId) =>
        Effect.asVoid(sql`delete from users where id = ${userId}::uuid`)

      const handOver: Users["Service"]["handOver"] = ({ challenge, codeHash, millis, userId }) =>
        sql`
          insert into app_codes (code_hash, user_id, challenge, expires_at)
          values (${codeHash}, ${userId}::uuid, ${challenge}, now() + ${millis}::float8 * interval '1 ms')
        `.pipe(Effect.asVoid)

      const takeOver: Users["Service"]["takeOver"] = (codeHash) =>
        Effect.map(
          sql<{ user_id: string; challenge: string; is_fresh: boolean }>`
            delete from app_codes
            where code_hash = ${codeHash}
            returning user_id, challenge, expires_at > now() as is_fresh`,
          ([row]) => row?.is_fresh === true ? Option.some(row) : Option.none()
        )

      return Users.of({
        begin,
        finish,
        welcome,
        find,
        characters,
        removeCharacter,
        remove,
        handOver,
        takeOver
      })
    })
  )
}
