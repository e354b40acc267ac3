/** What things cost: The Forge's daily averages, exceptions to them, and what has arrived. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  // ISK a unit, as float8: exact to the cent up to 9 × 10^13. About 100 million rows when all days since 2003 are here, so
  // a row takes no byte that it can do without: `from_esi` is null or true, as a null costs nothing, and `source` is not
  // stored. Days are imported in ascending order, for which a btree that begins with the type fills its pages.
  yield* sql`
    create table prices (
      type_id integer not null,
      day date not null,
      average float8 not null check (average > 0),
      from_esi boolean check (from_esi),
      source text generated always as (case when from_esi then 'esi' else 'everef' end) virtual,
      primary key (type_id, day)
    )`
  yield* sql`comment on column prices.average is
    'ISK a unit: the volume-weighted average of the day (UTC) in The Forge; for PLEX, since 2025-07-07 in its own global market'`

  // Both days included. An operator's row goes before a well-known one, and the later valid_from before the earlier.
  yield* sql`
    create table custom_prices (
      type_id integer not null,
      valid_from date not null default '-infinity',
      valid_until date not null default 'infinity',
      price float8 not null check (price >= 0),
      reason text not null,
      well_known boolean not null default false,
      primary key (type_id, well_known, valid_from),
      check (valid_from <= valid_until)
    )`
  yield* sql`comment on column custom_prices.well_known is
    'comes with killmaild, which rewrites such rows when it migrates; your own rows win and stay'`

  // Never a price of a killmail: CCP does not say of which days and markets it is an average. It tells what is traded at all.
  yield* sql`
    create table ccp_prices (
      type_id integer primary key,
      adjusted_price float8,
      average_price float8,
      day date not null
    )`

  // `listed` is what EVE Ref's listing said of the file when it was read, `etag` the file's own (an MD5 of its bytes).
  yield* sql`
    create table price_days (
      day date primary key,
      prices integer not null,
      etag text,
      listed text,
      imported_at timestamptz not null default now()
    )`

  // Types whose history ESI was asked for; it does not know most of them, and each such answer counts as an error.
  yield* sql`
    create table price_requests (
      type_id integer primary key,
      found boolean not null,
      asked_at timestamptz not null default now()
    )`

  // What has arrived since valuations last looked: from this day on these types may cost something else; all types that
  // have a price of the day where type_ids is null.
  yield* sql`
    create table price_arrivals (
      id bigint generated always as identity primary key,
      first_day date not null,
      type_ids integer[],
      at timestamptz not null default clock_timestamp()
    )`

  // Moves with every arrival, in the same transaction, so that what processes keep of prices can be told from newer ones.
  // A row, whose lock puts arrivals into the order of their commits, which a sequence would not.
  yield* sql`
    create table price_version (
      singleton boolean primary key default true check (singleton),
      version bigint not null
    )`
  yield* sql`insert into price_version (version) values (1)`
  yield* sql`
    create function advance_price_version() returns trigger
    language plpgsql as $$
    begin
      update price_version set version = version + 1;
      return null;
    end $$`
  yield* sql`
    create trigger advance_price_version after insert on price_arrivals
    for each statement execute function advance_price_version()`

  // Whoever changes exceptions, by whatever client: killmails that hold these types are valued anew.
  yield* sql`
    create function announce_custom_prices() returns trigger
    language plpgsql as $$
    begin
      if exists (select from touched) then
        insert into price_arrivals (first_day, type_ids)
        select min(valid_from), array_agg(distinct type_id) from touched;
      end if;
      return null;
    end $$`
  for (const [event, rows] of [["insert", "new"], ["update", "old"], ["update", "new"], ["delete", "old"]] as const) {
    yield* sql`
      create trigger ${sql(`announce_${event}_${rows}`)} after ${sql.literal(event)} on custom_prices
      referencing ${sql.literal(rows)} table as touched
      for each statement execute function announce_custom_prices()`
  }
})
