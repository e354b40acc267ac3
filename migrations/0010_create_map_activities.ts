/** What pilots did on a wormhole map: differences of the totals that Wanderer tells, and these totals. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  // May be summed over any time. Under a character stands what its pilot did with all characters, as Wanderer tells it. What
  // had been done before the first look is dated to the day on which EVE opened, as nobody knows when it was.
  yield* sql`
    create table map_activities (
      character_id bigint not null,
      timestamp timestamptz not null,
      signatures integer not null,
      connections integer not null,
      passages integer not null,
      corporation_id bigint,
      alliance_id bigint,
      primary key (character_id, timestamp)
    )`
  yield* sql`create index on map_activities (timestamp)`

  // As Wanderer told them last; a map is its host and slug.
  yield* sql`
    create table map_activity_totals (
      map text not null,
      character_id bigint not null,
      signatures integer not null,
      connections integer not null,
      passages integer not null,
      seen_at timestamptz not null,
      primary key (map, character_id)
    )`
})
