/** Killmails: the ledger that decides what is known and public, and the bodies, partitioned by month. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`
    create table epoch (
      singleton boolean primary key default true check (singleton),
      id uuid not null default gen_random_uuid(),
      since timestamptz not null default now(),
      system_identifier text not null
    )`

  // Public is what has a sequence, for good, and what visible_from has passed for; 'infinity' keeps a mail private until
  // something releases it.
  yield* sql`
    create table killmail_ledger (
      killmail_id bigint primary key,
      killmail_time timestamptz not null,
      hash bytea not null,
      sequence bigint unique,
      visible_from timestamptz not null default now(),
      owner_id bigint,
      source text not null,
      heard_at timestamptz not null,
      stored_at timestamptz not null default now(),
      traceparent text
    )`
  yield* sql`create index killmail_ledger_stored_at on killmail_ledger using brin (stored_at)`
  yield* sql`comment on column killmail_ledger.sequence is
    'number of the publication, dense and in commit order; null while not public and for imported history'`

  yield* sql`
    create table killmails (
      killmail_time timestamptz not null,
      killmail_id bigint not null,
      solar_system_id integer not null,
      war_id bigint,
      moon_id bigint,
      victim_character_id bigint,
      victim_corporation_id bigint,
      victim_alliance_id bigint,
      victim_faction_id bigint,
      victim_ship_type_id integer not null,
      victim_damage_taken bigint not null,
      x float8,
      y float8,
      z float8,
      location_id bigint,
      attacker_count integer not null,
      destroyed_value numeric(20, 2),
      dropped_value numeric(20, 2),
      fitted_value numeric(20, 2),
      total_value numeric(20, 2),
      unpriced_items integer,
      valuation_version integer,
      points integer,
      is_npc boolean,
      is_solo boolean,
      is_awox boolean,
      labels text[],
      zkb jsonb,
      primary key (killmail_time, killmail_id)
    ) partition by range (killmail_time)`

  yield* sql`
    create table attackers (
      killmail_time timestamptz not null,
      killmail_id bigint not null,
      ordinal integer not null,
      character_id bigint,
      corporation_id bigint,
      alliance_id bigint,
      faction_id bigint,
      ship_type_id integer,
      weapon_type_id integer,
      damage_done bigint not null,
      final_blow boolean not null,
      security_status float8 not null
    ) partition by range (killmail_time)`
  yield* sql`create index on attackers (killmail_time, killmail_id)`

  yield* sql`
    create table items (
      killmail_time timestamptz not null,
      killmail_id bigint not null,
      ordinal integer not null,
      parent_ordinal integer,
      item_type_id integer not null,
      flag integer not null,
      singleton integer not null,
      quantity_dropped bigint,
      quantity_destroyed bigint
    ) partition by range (killmail_time)`
  yield* sql`create index on items (killmail_time, killmail_id)`

  // What lists and searches go by. These indexes belong to each month and not to the parents, so that a month of the past
  // can be filled without them: they are built three times as fast when it is full, and a quarter smaller. Creates the
  // next one that the month lacks and returns its name, null when it lacks none: one at a time, as nobody can write into
  // the table meanwhile.
  yield* sql`
    create function create_month_index(month date) returns text
    language plpgsql as $$
    declare
      parent text;
      subject text;
      definition text;
      child text;
    begin
      perform pg_advisory_xact_lock(hashtext('killmaild:index ' || month));
      for parent, subject, definition in values
        ('killmails', 'character', '(victim_character_id, killmail_time) where victim_character_id is not null'),
        ('killmails', 'corporation', '(victim_corporation_id, killmail_time) where victim_corporation_id is not null'),
        ('killmails', 'alliance', '(victim_alliance_id, killmail_time) where victim_alliance_id is not null'),
        ('killmails', 'ship', '(victim_ship_type_id, killmail_time)'),
        ('killmails', 'system', '(solar_system_id, killmail_time)'),
        ('killmails', 'value', '(total_value, killmail_time) where total_value is not null'),
        ('attackers', 'character', '(character_id, killmail_time) where character_id is not null'),
        ('attackers', 'corporation', '(corporation_id, killmail_time) where corporation_id is not null'),
        ('attackers', 'alliance', '(alliance_id, killmail_time) where alliance_id is not null'),
        ('attackers', 'ship', '(ship_type_id, killmail_time) where ship_type_id is not null'),
        ('items', 'type', '(item_type_id)')
      loop
        child := parent || '_' || to_char(month, 'YYYY_MM');
        continue when to_regclass(child) is null or to_regclass(child || '_by_' || subject) is not null;
        execute format('create index %I on %I %s', child || '_by_' || subject, child, definition);
        return child || '_by_' || subject;
      end loop;
      return null;
    end $$`

  // CREATE … LIKE and ATTACH, not PARTITION OF: readers and writers of other months go on. Bounds are UTC whatever the
  // session's zone. One creator at a time, so that two replicas do not collide on the name; who has nothing to create waits
  // for none. Returns the number of tables.
  yield* sql`
    create function create_month(month date) returns integer
    language plpgsql as $$
    declare
      suffix text := to_char(month, '_YYYY_MM');
      parents text[] := array['killmails', 'attackers', 'items'];
      parent text;
      created integer := 0;
    begin
      -- By its rows, as what to_regclass has not found once it may not find after a wait.
      if (select count(*) from pg_class where relname in (select name || suffix from unnest(parents) name)) = 3 then
        return 0;
      end if;
      perform pg_advisory_xact_lock(hashtext('killmaild:partitions'));
      foreach parent in array parents loop
        continue when exists (select from pg_class where relname = parent || suffix);
        execute format('create table %I (like %I including all)', parent || suffix, parent);
        execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, parent || suffix,
          to_char(month, 'YYYY-MM-01') || ' 00:00:00+00',
          to_char(month + interval '1 month', 'YYYY-MM-01') || ' 00:00:00+00');
        created := created + 1;
      end loop;
      return created;
    end $$`
  yield* sql`
    create function ensure_killmail_partitions(first_month date, last_month date) returns integer
    language plpgsql as $$
    declare
      month date;
      tables integer;
      created integer := 0;
    begin
      for month in
        select generate_series(date_trunc('month', first_month::timestamp), last_month::timestamp, interval '1 month')
      loop
        tables := create_month(month);
        created := created + tables;
        while tables > 0 and create_month_index(month) is not null loop
        end loop;
      end loop;
      return created;
    end $$`

  // The one way to a sequence: under a lock held to the end of the transaction, so that numbers are dense and in commit
  // order. A statement of its own takes the lock first: max(sequence) must see what the previous holder committed.
  yield* sql`
    create function lock_publications() returns void language sql as $$
      select pg_advisory_xact_lock(hashtext('killmaild:publications'))
    $$`
})
