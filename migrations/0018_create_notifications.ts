/** What ESI tells of pilots' characters, what changed in it, and what their users are told of. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`
    create table character_data (
      character_id bigint not null references user_characters on delete cascade,
      kind text not null check (kind in ('skills', 'mail', 'orders', 'industry', 'planets')),
      data jsonb,
      answers jsonb not null default '{}',
      synced_at timestamptz,
      changed_at timestamptz,
      due_at timestamptz not null default now(),
      primary key (character_id, kind),
      check ((data is null) = (synced_at is null))
    )`
  yield* sql`comment on column character_data.data is 'as it is shown; null until the first sync'`
  yield* sql`comment on column character_data.answers is 'of ESI, by path, each with its ETag and until when it is fresh'`
  yield* sql`comment on column character_data.due_at is 'when it is to be asked for next'`

  yield* sql`
    create table character_changes (
      id bigint generated always as identity primary key,
      character_id bigint not null references user_characters on delete cascade,
      kind text not null,
      change text not null,
      subject text not null,
      at timestamptz not null,
      data jsonb not null,
      noticed_at timestamptz not null default now(),
      unique (character_id, change, subject)
    )`
  yield* sql`create index on character_changes (character_id, kind, id)`
  yield* sql`create index on character_changes (noticed_at)`
  yield* sql`comment on column character_changes.subject is 'what makes two changes of a character the same one'`

  // One a thing: a sync, or a killmail, that is looked at again tells nothing twice.
  yield* sql`
    create table notifications (
      id uuid primary key default uuidv7(),
      user_id uuid not null references users on delete cascade,
      character_id bigint references user_characters on delete cascade,
      kind text not null check (kind in ('skill_done', 'order_filled', 'order_expired', 'job_done', 'extractor_finished',
        'mail_received', 'killmail_matched')),
      subject text not null,
      data jsonb not null,
      status text not null default 'pending' check (status in ('pending', 'sent', 'read', 'failed')),
      created_at timestamptz not null default now(),
      sent_at timestamptz,
      read_at timestamptz,
      check ((status = 'read') = (read_at is not null)),
      unique (user_id, kind, subject)
    )`
  yield* sql`create index on notifications (user_id, id)`
  yield* sql`create index on notifications (user_id) where status <> 'read'`
  yield* sql`create index on notifications (character_id)`
  yield* sql`create index on notifications (created_at)`

  yield* sql`
    create table killmail_alerts (
      id uuid primary key default uuidv7(),
      user_id uuid not null references users on delete cascade,
      name text not null check (length(name) between 1 and 100),
      filter jsonb not null,
      is_enabled boolean not null default true,
      created_at timestamptz not null default now()
    )`
  yield* sql`create index on killmail_alerts (user_id)`
})
