/** Killmails that ESI lists for pilots and for the directors of corporations, and how these are held back from the public. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`
    alter table user_characters
      add corporation_id bigint,
      add corporation_told_at timestamptz,
      add is_preferred boolean not null default false`
  yield* sql`comment on column user_characters.corporation_id is 'as ESI told at corporation_told_at'`
  yield* sql`comment on column user_characters.is_preferred is
    'set by who hosts: its killmails are asked for before those of others, and as often however long nothing happened'`

  // A reading goes from the first page to one that is known whole, or of all pages to the last. next_page is where one under
  // way goes on. Of a corporation, one of its directors reads at a time.
  yield* sql`
    create table killmail_lists (
      kind text not null check (kind in ('character', 'corporation')),
      id bigint not null,
      character_id bigint generated always as (case when kind = 'character' then id end) stored
        references user_characters on delete cascade,
      held_back interval check (held_back between '0' and '72 hours' or held_back = 'infinity'),
      reader_id bigint references user_characters on delete set null,
      reading_until timestamptz,
      next_page integer,
      reads_all boolean not null default true,
      etag text,
      fresh_until timestamptz not null default now(),
      next_at timestamptz not null default now(),
      read_at timestamptz,
      all_read_at timestamptz,
      primary key (kind, id)
    )`
  yield* sql`create index on killmail_lists (character_id)`
  yield* sql`create index on killmail_lists (reader_id)`
  yield* sql`create index on killmail_lists (next_at)`
  yield* sql`comment on column killmail_lists.held_back is 'after the kill; infinity: for members only; null: its owner said nothing'`
  yield* sql`comment on column killmail_lists.reader_id is 'the character whose token reads it, or read it last'`
  yield* sql`comment on column killmail_lists.etag is 'of the first page'`
  yield* sql`comment on column killmail_lists.fresh_until is 'before, ESI is not to be asked again'`

  // was_known: it was here when the list named it first.
  yield* sql`
    create table own_killmails (
      kind text not null,
      id bigint not null,
      killmail_id bigint not null,
      hash bytea not null,
      was_known boolean not null,
      primary key (kind, id, killmail_id),
      foreign key (kind, id) references killmail_lists on delete cascade
    )`
  yield* sql`create index on own_killmails (killmail_id)`

  // Who is no director. The role may come: it is asked again.
  yield* sql`
    create table corporation_refusals (
      character_id bigint not null references user_characters on delete cascade,
      corporation_id bigint not null,
      refused_at timestamptz not null default now(),
      primary key (character_id, corporation_id)
    )`

  // Two that name the same killmail, or store what another names, take it one after the other. Before lock_publications.
  yield* sql`
    create function lock_hearings() returns void language sql as $$
      select pg_advisory_xact_lock(hashtext('killmaild:hearing'))
    $$`

  // What anybody may know of it: lists of one's own are not public, and whoever posts an id need not know the killmail.
  yield* sql`
    create function is_publicly_sighted(id bigint) returns boolean
    language sql stable
    return exists (
      select from sightings where killmail_id = id and source not in ('esi_character', 'esi_corporation', 'manual'))`

  // Until when it is held back, and by whom: of all lists that name it, and whose owners said something, the one that does so
  // shortest. No row: it is not.
  yield* sql`
    create function withholding_of(id bigint, killed_at timestamptz)
      returns table (until timestamptz, owner bigint)
    language sql stable as $$
      select shortest.until, shortest.owner
      from (
        select killed_at + held_back as until, list.id as owner
        from own_killmails own join killmail_lists list using (kind, id)
        where own.killmail_id = withholding_of.id and held_back is not null
        order by held_back, list.kind, list.id
        limit 1
      ) shortest
      where shortest.until > clock_timestamp() and not is_publicly_sighted(withholding_of.id)
    $$`

  // Wakes somebody when the time of a killmail has come. Priority 0 is the tier of live killmails.
  yield* sql`
    create function schedule_publications(times timestamptz[]) returns void
    language sql as $$
      select graphile_worker.add_job('publish_withheld', '{}'::json, run_at => at, max_attempts => 3,
        job_key => 'publish_withheld:' || extract(epoch from at), priority => 0)
      from (select distinct at from unnest(times) at where isfinite(at)) due
    $$`

  // Gives a sequence to what was held back and whose time has come; returns how many. Only what was held back has a
  // visible_from after stored_at.
  yield* sql`
    create function publish_withheld() returns integer
    language plpgsql as $$
    declare
      published integer;
    begin
      perform lock_publications();
      with due as (
        select killmail_id, row_number() over (order by killmail_id) as n
        from killmail_ledger
        where sequence is null and visible_from > stored_at and visible_from <= clock_timestamp()
      )
      update killmail_ledger ledger
      set sequence = (select coalesce(max(sequence), 0) from killmail_ledger) + due.n
      from due where due.killmail_id = ledger.killmail_id;
      get diagnostics published = row_count;
      if published > 0 then
        perform request_entities();
        perform pg_notify('killmails', '');
      end if;
      return published;
    end $$`

  // Those of these that are held back are public from now on. Withheld is what has no sequence and whose time has not come,
  // by the clock: now() is when this transaction began.
  yield* sql`
    create function release_withheld(ids bigint[]) returns void
    language plpgsql as $$
    begin
      if not exists (
        select from killmail_ledger
        where killmail_id = any(ids) and sequence is null and visible_from > clock_timestamp()
      ) then
        return;
      end if;
      perform lock_publications();
      update killmail_ledger
      set visible_from = clock_timestamp()
      where killmail_id = any(ids) and sequence is null and visible_from > clock_timestamp();
      perform publish_withheld();
    end $$`

  // Called by hear_killmails, when the sightings are written: what only its own pilots named stays held back.
  yield* sql`
    create or replace function release_killmails(ids bigint[]) returns void
    language sql as $$
      select release_withheld(array(
        select killmail_id
        from killmail_ledger
        where killmail_id = any(ids) and sequence is null and visible_from > clock_timestamp()
          and is_publicly_sighted(killmail_id)))
    $$`

  // After another list named them, or one changed its mind: what is held back is so for as long as is said now.
  yield* sql`
    create function reconsider_withheld(ids bigint[]) returns void
    language plpgsql as $$
    declare
      times timestamptz[];
    begin
      perform lock_publications();
      with reconsidered as (
        update killmail_ledger ledger
        set visible_from = coalesce((select until from withholding_of(killmail_id, killmail_time)), clock_timestamp()),
          owner_id = coalesce((select owner from withholding_of(killmail_id, killmail_time)), owner_id)
        where killmail_id = any(ids) and sequence is null and visible_from > clock_timestamp()
        returning visible_from
      )
      select array_agg(visible_from) into times from reconsidered;
      if times is not null then
        perform schedule_publications(times);
        perform publish_withheld();
      end if;
    end $$`
  yield* sql`create index on killmail_ledger (owner_id) where owner_id is not null`
})
