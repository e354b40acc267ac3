/** Pilots who signed in: their characters, EVE's tokens of these, and their sessions here. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  // Who hosts killmaild may fill in what somebody pays for; no provider of payments is called.
  yield* sql`
    create table users (
      id uuid primary key default uuidv7(),
      created_at timestamptz not null default now(),
      email text check (length(email) <= 254 and email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
      tier text not null default 'free' check (tier in ('free', 'premium')),
      subscription_status text check (subscription_status in ('active', 'canceled', 'expired')),
      subscription_ends_at timestamptz,
      customer_id text unique,
      subscription_id text unique,
      check (tier = 'free' or subscription_status is not null)
    )`

  yield* sql`
    create table user_characters (
      character_id bigint primary key,
      user_id uuid not null references users on delete cascade,
      name text not null,
      owner_hash text not null,
      added_at timestamptz not null default now(),
      dropped_at timestamptz,
      dropped_because text check (dropped_because in ('invalid_grant', 'owner_changed')),
      check ((dropped_at is null) = (dropped_because is null))
    )`
  yield* sql`create index on user_characters (user_id)`
  yield* sql`comment on column user_characters.owner_hash is 'changes when the character is sold'`
  yield* sql`comment on column user_characters.dropped_at is 'since when there is no token, and why: it has to sign in again'`

  // Encrypted (src/accounts/TokenCipher.ts). Nobody but the daemon's own user may read it: no view or role is to show it.
  yield* sql`
    create table user_tokens (
      character_id bigint primary key references user_characters on delete cascade,
      scopes text[] not null,
      key_id text not null,
      refresh_token bytea not null,
      access_token bytea not null,
      renew_at timestamptz not null,
      refreshed_at timestamptz not null default now(),
      lease_id uuid,
      leased_until timestamptz,
      check ((lease_id is null) = (leased_until is null))
    )`
  yield* sql`create index on user_tokens (refreshed_at)`
  yield* sql`create index on user_tokens (key_id)`
  yield* sql`revoke all on user_tokens from public`
  yield* sql`comment on column user_tokens.lease_id is 'of the one refresh that is under way, over all replicas'`

  // Only hashes (SHA-256): who reads this table cannot act as anybody.
  yield* sql`
    create table sessions (
      id uuid primary key default uuidv7(),
      user_id uuid not null references users on delete cascade,
      access_hash bytea not null unique,
      access_expires_at timestamptz not null,
      refresh_hash bytea not null unique,
      expires_at timestamptz not null,
      device_type text not null check (device_type in ('browser', 'desktop', 'android', 'ios')),
      push_token text check (length(push_token) <= 4096),
      created_at timestamptz not null default now(),
      used_at timestamptz not null default now()
    )`
  yield* sql`create index on sessions (user_id)`
  yield* sql`create index on sessions (expires_at)`

  // One that comes again was stolen, before or after: the whole session ends.
  yield* sql`
    create table rotated_refresh_tokens (
      hash bytea primary key,
      session_id uuid not null references sessions on delete cascade
    )`
  yield* sql`create index on rotated_refresh_tokens (session_id)`

  yield* sql`
    create table user_settings (
      user_id uuid primary key references users on delete cascade,
      theme text not null default 'system' check (theme in ('system', 'light', 'dark')),
      language text not null default 'en' check (language in ('en', 'de', 'fr', 'ja', 'ru', 'zh', 'ko', 'es')),
      default_character_id bigint references user_characters on delete set null,
      notify_skills boolean not null default true,
      notify_orders boolean not null default true,
      notify_industry boolean not null default true,
      notify_planets boolean not null default true,
      notify_mail boolean not null default true,
      notify_killmails boolean not null default true,
      sharing text not null default 'private' check (sharing in ('private', 'corporation', 'alliance', 'public'))
    )`
  yield* sql`create index on user_settings (default_character_id)`

  // A way to EVE's SSO and back, once, in one browser. The secret of both is in that browser's cookie alone.
  yield* sql`
    create table sign_ins (
      state_hash bytea primary key,
      browser_hash bytea not null,
      user_id uuid references users on delete cascade,
      return_to text not null,
      app_state text,
      app_challenge text,
      expires_at timestamptz not null
    )`
  yield* sql`create index on sign_ins (user_id)`
  yield* sql`create index on sign_ins (expires_at)`

  // What an app is handed in its address, and gives back, with what proves that it is the one, for a session.
  yield* sql`
    create table app_codes (
      code_hash bytea primary key,
      user_id uuid not null references users on delete cascade,
      challenge text not null,
      expires_at timestamptz not null
    )`
  yield* sql`create index on app_codes (user_id)`
  yield* sql`create index on app_codes (expires_at)`
})
