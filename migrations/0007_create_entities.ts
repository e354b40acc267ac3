/**
 * Who is who: the characters, corporations and alliances that killmails name, what they are called, and whom ESI is to be
 * asked about. NPCs are none of them: their names come with the static data.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  // seen_at is the time of the newest killmail that names them, or of a newer answer of ESI: what stands here was so then.
  // wanted_from: ESI is to be asked, not before; refreshed_at: when it answered; deleted_at: since when they are deleted,
  // closed, or unknown to ESI.
  yield* sql`
    create table characters (
      character_id bigint primary key,
      name text,
      corporation_id bigint,
      alliance_id bigint,
      faction_id bigint,
      security_status float8,
      seen_at timestamptz not null,
      wanted_from timestamptz default now(),
      refreshed_at timestamptz,
      deleted_at timestamptz
    )`
  yield* sql`comment on column characters.security_status is
    'of the newest killmail that tells it, -10 to 5, rounded to one decimal'`
  yield* sql`
    create table corporations (
      corporation_id bigint primary key,
      name text,
      ticker text,
      alliance_id bigint,
      faction_id bigint,
      seen_at timestamptz not null,
      wanted_from timestamptz default now(),
      refreshed_at timestamptz,
      deleted_at timestamptz
    )`
  yield* sql`
    create table alliances (
      alliance_id bigint primary key,
      name text,
      ticker text,
      seen_at timestamptz not null,
      wanted_from timestamptz default now(),
      refreshed_at timestamptz,
      deleted_at timestamptz
    )`
  // Those seen last are asked about first.
  yield* sql`create index on characters (seen_at) where wanted_from is not null`
  yield* sql`create index on corporations (seen_at) where wanted_from is not null`
  yield* sql`create index on alliances (seen_at) where wanted_from is not null`

  // A main and its alts, as the operator says; a character is in one group. A main has no row of its own.
  yield* sql`
    create table character_groups (
      character_id bigint primary key,
      main_character_id bigint not null check (main_character_id <> character_id)
    )`
  yield* sql`create index on character_groups (main_character_id)`

  // Up to which publication everybody was noted.
  yield* sql`
    create table entity_cursor (
      singleton boolean primary key default true check (singleton),
      sequence bigint not null
    )`
  yield* sql`insert into entity_cursor (sequence) values (0)`

  // Players' ids begin at 90,000,000: below are agents (3,000,000 to 3,999,999), NPC corporations (1,000,000 to 1,999,999)
  // and factions (500,000 to 599,999). https://developers.eveonline.com/docs/guides/id-ranges/
  yield* sql`
    create function is_player(id bigint) returns boolean
    language sql immutable
    return id >= 90000000`

  // From when ESI is to be asked again about somebody who was just seen: now, if the last answer is 7 days old, or was that
  // there is none such; else not at all.
  yield* sql`
    create function wanted_again(seen_at timestamptz, refreshed_at timestamptz, deleted_at timestamptz)
      returns timestamptz
    language sql stable
    return case
      when deleted_at is not null and seen_at <= deleted_at then null
      when deleted_at is null and refreshed_at > now() - interval '7 days' then null
      else now()
    end`

  // Notes whom these killmails name, and what they tell of them for nothing. An older killmail changes nothing.
  yield* sql`
    create function note_entities(killmail_ids bigint[]) returns void
    language sql as $$
      with mails as (
        select killmail_time, killmail_id from killmail_ledger where killmail_id = any(killmail_ids)
      ),
      parties as materialized (
        select killmail_time as at, victim_character_id as character_id, victim_corporation_id as corporation_id,
          victim_alliance_id as alliance_id, victim_faction_id as faction_id, null::float8 as security_status
        from mails join killmails using (killmail_time, killmail_id)
        union all
        select killmail_time, character_id, corporation_id, alliance_id, faction_id, security_status
        from mails join attackers using (killmail_time, killmail_id)
      ),
      noted_characters as (
        insert into characters as known (character_id, corporation_id, alliance_id, faction_id, security_status, seen_at)
        select distinct on (character_id) character_id, corporation_id, alliance_id, faction_id,
          first_value(security_status) over (partition by character_id order by security_status is null, at desc), at
        from parties
        where is_player(character_id)
        order by character_id, at desc
        on conflict (character_id) do update
        set corporation_id = excluded.corporation_id, alliance_id = excluded.alliance_id,
          faction_id = excluded.faction_id,
          security_status = coalesce(excluded.security_status, known.security_status),
          seen_at = excluded.seen_at,
          wanted_from = coalesce(known.wanted_from, wanted_again(excluded.seen_at, known.refreshed_at, known.deleted_at)),
          deleted_at = case when known.deleted_at >= excluded.seen_at then known.deleted_at end
        where excluded.seen_at > known.seen_at
      ),
      noted_corporations as (
        insert into corporations as known (corporation_id, alliance_id, seen_at)
        select distinct on (corporation_id) corporation_id, alliance_id, at
        from parties
        where is_player(corporation_id)
        order by corporation_id, at desc
        on conflict (corporation_id) do update
        set alliance_id = excluded.alliance_id, seen_at = excluded.seen_at,
          wanted_from = coalesce(known.wanted_from, wanted_again(excluded.seen_at, known.refreshed_at, known.deleted_at)),
          deleted_at = case when known.deleted_at >= excluded.seen_at then known.deleted_at end
        where excluded.seen_at > known.seen_at
      )
      insert into alliances as known (alliance_id, seen_at)
      select alliance_id, max(at)
      from parties
      where is_player(alliance_id)
      group by alliance_id
      order by alliance_id
      on conflict (alliance_id) do update
      set seen_at = excluded.seen_at,
        wanted_from = coalesce(known.wanted_from, wanted_again(excluded.seen_at, known.refreshed_at, known.deleted_at)),
        deleted_at = case when known.deleted_at >= excluded.seen_at then known.deleted_at end
      where excluded.seen_at > known.seen_at
    $$`

  // Notes whom the next publications name, at most so many; returns how many it was. Imported history has no sequence, and
  // is to be noted by whoever imports it.
  yield* sql`
    create function note_publications(most integer) returns integer
    language plpgsql as $$
    declare
      noted bigint;
      last bigint;
      ids bigint[];
    begin
      select sequence into noted from entity_cursor for update;
      select array_agg(killmail_id), max(sequence) into ids, last
      from killmail_ledger
      where sequence > noted and sequence <= noted + most;
      if ids is null then return 0; end if;
      perform note_entities(ids);
      update entity_cursor set sequence = last;
      return cardinality(ids);
    end $$`

  // Within the transaction that publishes: soon after it somebody looks whom it names. One job is enough for all that is
  // published until it runs; one that runs already may have looked before. Priority 40 is the tier of entities.
  yield* sql`
    create function request_entities() returns void
    language plpgsql as $$
    begin
      if exists (
        select from graphile_worker._private_jobs
        where key = 'refresh_characters' and locked_at is null and attempts < max_attempts
      ) then
        return;
      end if;
      perform graphile_worker.add_job('refresh_characters', '{}'::json, run_at => now() + interval '10 seconds',
        max_attempts => 3, job_key => 'refresh_characters', priority => 40);
    end $$`
})
