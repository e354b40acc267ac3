/**
 * The invariants that hold whatever died, asked of the tables against what was published: reliability is what is left when
 * all is over. `prepare` keeps the truth in a schema of its own, `audit` compares; each finding begins with its invariant.
 */
import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { Mail } from "../../src/sandbox/World.ts"
import { feed, feedsOf, type File, secondFeed } from "./Publications.ts"

/** Beside the daemon's tables, once it has made them. `given_back` counts jobs that a dead process had in its hands. */
export const prepare = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`create schema audit`
  yield* sql`
    create table audit.files (
      sequence bigint primary key,
      named bigint,
      key text,
      letter json
    )`
  yield* sql`create index on audit.files (named)`
  yield* sql`
    create table audit.truth (
      killmail_id bigint primary key,
      hash text not null,
      document jsonb not null,
      feeds text[] not null
    )`
  yield* sql`create table audit.given_back (job_id bigint not null)`
  yield* sql`
    create function audit.note_given_back() returns trigger language plpgsql as $$
    begin
      insert into audit.given_back values (new.job_id);
      return null;
    end $$`
  yield* sql`
    create trigger note_given_back after insert or update on job_crashes
    for each row when (not new.accused) execute function audit.note_given_back()`
})

/** Before they are published: whatever is found later is known here. */
export const expect = Effect.fnUntraced(function*(files: ReadonlyArray<File>) {
  const sql = yield* SqlClient.SqlClient
  const rows = files.map(({ key, letter, named, sequence }) => ({ sequence, named, key, letter }))
  yield* sql.withTransaction(Effect.gen(function*() {
    yield* sql`
      insert into audit.files
      select * from json_populate_recordset(null::audit.files, ${JSON.stringify(rows)}::json)
      on conflict do nothing`
    for (const [feeds, told] of Map.groupBy(files, (file) => feedsOf(file).join())) {
      yield* expectMails(told.flatMap(({ mail }) => mail ?? []), feeds.split(","))
    }
  }))
})

/** What is to be stored, once. What no feed tells is history, and not announced. */
export const expectMails = Effect.fnUntraced(
  function*(mails: ReadonlyArray<Pick<Mail, "hash" | "killmail">>, feeds: ReadonlyArray<string>) {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      insert into audit.truth
      select (killmail->>'killmail_id')::bigint, hash, killmail, ${feeds}::text[]
      from json_to_recordset(${JSON.stringify(mails)}::json) as mail(hash text, killmail jsonb)
      on conflict do nothing`
  }
)

/** How long what comes to rest by itself may take: jobs and letters after the last killmail. */
const restMillis = 30_000

/** Reasons for which no upstream is to blame: other jobs than killmails' may end for the others. */
const ourFault = ["defect", "database", "bad_payload", "bad_row", "given_up"]

export const audit = Effect.fnUntraced(function*(next: number) {
  const sql = yield* SqlClient.SqlClient
  const findings: Array<string> = []
  const check = Effect.fnUntraced(
    function*(invariant: string, rows: Effect.Effect<ReadonlyArray<object>, SqlError.SqlError>, patience = 0) {
      const deadline = performance.now() + patience
      for (;;) {
        const found = yield* rows
        if (found.length === 0) return
        if (performance.now() > deadline) return void findings.push(`${invariant} (${found.length}): ${show(found)}`)
        yield* Effect.sleep("50 millis")
      }
    }
  )

  // First what needs time to come to rest.
  yield* check(
    "I4 a job is left in the queue",
    sql`
      select task_identifier, key, attempts, run_at, locked_by, last_error
      from graphile_worker.jobs
      where task_identifier in ('ingest_killmail', 'import_day')`,
    restMillis
  )
  yield* check(
    "I4 a job is locked by a pool that is dead",
    sql`
      select id::text, task_identifier, locked_by
      from graphile_worker.jobs
      where locked_by is not null
        and locked_by not in (select pool_id from job_pools where ended_at is null)`,
    restMillis
  )
  yield* check(
    "I4 dead letters are other than what was to be refused",
    sql`
      with wanted as (
        select distinct letter->>'task' as task, letter->>'key' as key, letter->>'reason' as reason
        from audit.files
        where letter is not null
      )
      select task, key, wanted.reason as wanted, letters.reason as found, letters.error
      from wanted full join dead_letters letters using (task, key)
      where wanted.reason is distinct from letters.reason
        and (task in ('ingest_killmail', 'import_day', 'feed') or letters.reason = any(${ourFault}))`,
    restMillis
  )
  yield* check(
    "I5 the cursor is not behind the last file",
    sql`select cursor::text from feed_cursors where feed = ${feed} and cursor <> ${next}::bigint`,
    restMillis
  )

  yield* check(
    "I1 a killmail is lost",
    sql`select killmail_id::text from audit.truth except select killmail_id::text from killmail_ledger`
  )
  yield* check(
    "I1 a killmail was never published",
    sql`select killmail_id::text from killmail_ledger except select killmail_id::text from audit.truth`
  )
  yield* check(
    "I1 ledger and killmails are not one row each",
    sql`
      select killmail_id::text, count(ledger.killmail_id)::int as ledger, count(mail.killmail_id)::int as killmails
      from killmail_ledger ledger full join killmails mail using (killmail_id, killmail_time)
      group by killmail_id
      having count(ledger.killmail_id) <> 1 or count(mail.killmail_id) <> 1`
  )
  yield* check(
    "I1 a hash or a time is another",
    sql`
      select killmail_id::text, encode(ledger.hash, 'hex') as hash, killmail_time::text
      from killmail_ledger ledger join audit.truth using (killmail_id)
      where encode(ledger.hash, 'hex') <> truth.hash
        or killmail_time <> (document->>'killmail_time')::timestamptz`
  )
  yield* check("I2 attackers differ", differences(sql, trueAttackers(sql), storedAttackers(sql)))
  yield* check("I2 items differ", differences(sql, trueItems(sql), storedItems(sql)))
  yield* check("I3 a killmail differs", differences(sql, trueKillmails(sql), storedKillmails(sql)))
  yield* check(
    "I3 the damage of the attackers is another",
    sql`
      select killmail_id::text, sum(damage_done)::text as found
      from attackers join audit.truth using (killmail_id)
      group by killmail_id, document
      having sum(damage_done) <>
        (select sum((attacker->>'damage_done')::bigint) from jsonb_array_elements(document->'attackers') attacker)`
  )
  yield* check("I5 the cursor is ahead of what is stored or queued", aheadOfCursor(sql, feed, 0))
  // One that was denied again and again is taken for a hole, and is noted as one: it comes from elsewhere.
  yield* check(
    "I6 a file was not heard exactly once",
    sql`
      with wanted as (
        select named as killmail_id, count(*) as files, min(sequence) as sequence
        from audit.files
        where named is not null
        group by 1
      ),
      heard as (
        select killmail_id, count(*) as sightings from sightings where source = ${feed} group by 1
      )
      select killmail_id::text, files::int, sightings::int
      from wanted full join heard using (killmail_id)
      where files is distinct from sightings
        and not (sightings is null and exists (
          select from gaps
          where gaps.feed = ${feed} and reason = 'hole'
            and wanted.sequence >= from_cursor and wanted.sequence < to_cursor))`
  )
  yield* check(
    "I6 an entry of the second feed was not heard",
    sql`
      select killmail_id::text from audit.truth where ${secondFeed} = any(feeds)
      except select killmail_id::text from sightings where source = ${secondFeed}`,
    restMillis
  )
  yield* check(
    "I6 sequences are not dense from 1",
    sql`
      select count(*)::int as mails, count(distinct sequence)::int as sequences, max(sequence)::int as last
      from killmail_ledger join audit.truth using (killmail_id)
      where feeds <> '{}'
      having count(*) <> count(distinct sequence) or count(*) <> coalesce(max(sequence), 0)`
  )
  yield* check(
    "I6 history was announced",
    sql`
      select killmail_id::text, sequence::text
      from killmail_ledger join audit.truth using (killmail_id)
      where feeds = '{}' and sequence is not null`
  )
  // At every moment: what was published up to where they are, and of what has no sequence no more than there is.
  yield* check(
    "I12 the statistics count a killmail twice, or not at all",
    sql`
      select counted::text, published::text, unannounced::text
      from (
        select
          (select coalesce(sum(kills), 0) from statistics where kind = 'system' and period = 'all') as counted,
          count(*) filter (where ledger.sequence <= progress.sequence) as published,
          count(*) filter (where ledger.sequence is null) as unannounced
        from killmail_ledger ledger, statistics_progress progress
      ) as sums
      where counted not between published and published + unannounced`
  )
  yield* check(
    "I10 a partition is missing, or there is one for whatever comes",
    sql`
      select parent, month::text
      from unnest(array['killmails', 'attackers', 'items']) parent,
        generate_series(date_trunc('month', now() at time zone 'UTC'),
          now() at time zone 'UTC' + interval '6 months', interval '1 month') month
      where to_regclass(parent || '_' || to_char(month, 'YYYY_MM')) is null
      union all
      select partrelid::regclass::text, 'default' from pg_partitioned_table where partdefid <> 0`
  )
  yield* check(
    "I11 a connection of a process that ended is left",
    sql`
      select application_name, count(*)::int
      from pg_stat_activity
      where application_name in (select application_name from job_pools where ended_at is not null)
      group by 1`,
    restMillis
  )
  // One that was killed may still have its own while the next one connects; each has what `doctor` wants for it.
  yield* check(
    "I11 there are more connections than two daemons have",
    sql`
      select count(*)::int as connections
      from pg_stat_activity
      where application_name like 'killmaild%'
      having count(*) > 2 * 46`
  )
  return findings
})

/** Files before the cursor, and not long before it, of whose killmail there is nothing: no row, no job, no letter, no gap. */
export const aheadOfCursor = (sql: SqlClient.SqlClient, feed: string, lookBack: number) =>
  sql`
    select sequence::text
    from audit.files, (select cursor from feed_cursors where feed = ${feed}) reached
    where sequence < cursor and (${lookBack} = 0 or sequence >= cursor - ${lookBack}::bigint)
      and not exists (select from killmail_ledger where killmail_id = named)
      and not exists (select from graphile_worker._private_jobs jobs where jobs.key = files.key)
      and not exists (select from dead_letters letters where letters.key in (files.key, files.letter->>'key'))
      and not exists (select from gaps where sequence >= from_cursor and sequence < to_cursor)`

/** Where a secret that only the daemon was given is to be read. */
export const leaks = Effect.fnUntraced(function*(secret: string) {
  const sql = yield* SqlClient.SqlClient
  return yield* sql<{ place: string }>`
    select 'dead_letters' as place from dead_letters letter where letter::text like ${`%${secret}%`}
    union select 'job_runs' from job_runs run where run::text like ${`%${secret}%`}
    union select 'jobs' from graphile_worker._private_jobs job where job::text like ${`%${secret}%`}
    union select 'cached_data' from cached_data where convert_from(data, 'UTF8') like ${`%${secret}%`}`
})

const show = (rows: ReadonlyArray<object>): string =>
  JSON.stringify(rows.slice(0, 3), (_key, value: unknown) => typeof value === "bigint" ? Number(value) : value)

type Rows = ReturnType<SqlClient.SqlClient["literal"]>

/** Rows of one that the other has not, as multisets. */
const differences = (sql: SqlClient.SqlClient, truth: Rows, stored: Rows) =>
  sql`
    select 'published' as of, missing::text from (${truth} except all ${stored}) missing
    union all
    select 'stored', surplus::text from (${stored} except all ${truth}) surplus`

const trueAttackers = (sql: SqlClient.SqlClient) =>
  sql.literal(`
    select truth.killmail_id, attacker.*
    from audit.truth, jsonb_to_recordset(document->'attackers') as attacker(character_id bigint,
      corporation_id bigint, alliance_id bigint, faction_id bigint, ship_type_id integer, weapon_type_id integer,
      damage_done bigint, final_blow boolean, security_status float8)`)

const storedAttackers = (sql: SqlClient.SqlClient) =>
  sql.literal(`
    select killmail_id, character_id, corporation_id, alliance_id, faction_id, ship_type_id, weapon_type_id,
      damage_done, final_blow, security_status
    from attackers`)

/** What is in a container is told by the container's type and flag. */
const trueItems = (sql: SqlClient.SqlClient) =>
  sql.literal(`
    select truth.killmail_id, part.parent_type, part.parent_flag, part.item_type_id, part.flag, part.singleton,
      part.quantity_dropped, part.quantity_destroyed
    from audit.truth, lateral (
      with recursive part as (
        select null::integer as parent_type, null::integer as parent_flag, item.*
        from jsonb_to_recordset(coalesce(document->'victim'->'items', '[]')) as item(item_type_id integer,
          flag integer, singleton integer, quantity_dropped bigint, quantity_destroyed bigint, items jsonb)
        union all
        select part.item_type_id, part.flag, item.*
        from part, jsonb_to_recordset(part.items) as item(item_type_id integer,
          flag integer, singleton integer, quantity_dropped bigint, quantity_destroyed bigint, items jsonb)
      )
      select * from part
    ) part`)

const storedItems = (sql: SqlClient.SqlClient) =>
  sql.literal(`
    select item.killmail_id, container.item_type_id, container.flag, item.item_type_id, item.flag, item.singleton,
      item.quantity_dropped, item.quantity_destroyed
    from items item
    left join items container on container.killmail_time = item.killmail_time
      and container.killmail_id = item.killmail_id and container.ordinal = item.parent_ordinal`)

const trueKillmails = (sql: SqlClient.SqlClient) =>
  sql.literal(`
    select killmail_id, (document->>'solar_system_id')::integer, (document->>'war_id')::bigint,
      (document->>'moon_id')::bigint, (victim->>'character_id')::bigint, (victim->>'corporation_id')::bigint,
      (victim->>'alliance_id')::bigint, (victim->>'faction_id')::bigint, (victim->>'ship_type_id')::integer,
      (victim->>'damage_taken')::bigint, (victim->'position'->>'x')::float8, (victim->'position'->>'y')::float8,
      (victim->'position'->>'z')::float8, jsonb_array_length(document->'attackers')
    from audit.truth, lateral (select document->'victim' as victim) part`)

const storedKillmails = (sql: SqlClient.SqlClient) =>
  sql.literal(`
    select killmail_id, solar_system_id, war_id, moon_id, victim_character_id, victim_corporation_id,
      victim_alliance_id, victim_faction_id, victim_ship_type_id, victim_damage_taken, x, y, z, attacker_count
    from killmails`)
