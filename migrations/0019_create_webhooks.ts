/** Webhooks: where whom tells whom of which killmails, what became of each delivery, and how far they were matched. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  // Whoever knows a webhook's URL may write there: it is a secret, and so is the key that signs. Both are encrypted
  // (src/webhooks/WebhookCipher.ts).
  yield* sql`
    create table webhooks (
      id uuid primary key default uuidv7(),
      user_id uuid references users on delete cascade,
      name text not null check (length(name) between 1 and 100),
      format text not null check (format in ('discord', 'slack', 'json')),
      origin text not null,
      key_id text not null,
      url bytea not null,
      secret bytea,
      filter jsonb not null,
      is_enabled boolean not null default true,
      disabled_because text,
      since bigint not null,
      created_at timestamptz not null default now(),
      check ((format = 'json') = (secret is not null)),
      check (disabled_because is null or not is_enabled)
    )`
  yield* sql`create index on webhooks (user_id)`
  yield* sql`revoke all on webhooks from public`
  yield* sql`comment on column webhooks.user_id is 'null: the operator''s'`
  yield* sql`comment on column webhooks.since is 'what was published up to here was before it was made or enabled'`

  yield* sql`
    create table webhook_deliveries (
      webhook_id uuid not null references webhooks on delete cascade,
      sequence bigint not null,
      killmail_id bigint not null,
      status text not null default 'waiting' check (status in ('waiting', 'delivered', 'failed', 'skipped')),
      attempts integer not null default 0,
      http_status integer,
      error text,
      created_at timestamptz not null default now(),
      ended_at timestamptz,
      primary key (webhook_id, sequence),
      check ((ended_at is null) = (status = 'waiting'))
    )`
  yield* sql`create index on webhook_deliveries (webhook_id, sequence) where status = 'waiting'`
  yield* sql`create index on webhook_deliveries (ended_at)`
  yield* sql`comment on column webhook_deliveries.status is 'skipped: too many waited, or the webhook was disabled'`

  // Up to which publication killmails were matched with what somebody wants to be told of. What is older is no news.
  yield* sql`
    create table matching_progress (
      singleton boolean primary key default true check (singleton),
      sequence bigint not null
    )`
  yield* sql`
    insert into matching_progress (sequence)
    select coalesce(max(sequence), 0) from killmail_ledger`
})
