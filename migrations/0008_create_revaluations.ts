/** What was valued anew: as its prices, or what it was, came to be known. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  // In commit order, as `lock_revaluations` is taken before: whoever reads on after an id misses none. Kept a day.
  yield* sql`
    create table revaluations (
      id bigint generated always as identity primary key,
      killmail_id bigint not null,
      at timestamptz not null default now()
    )`
  yield* sql`
    create function lock_revaluations() returns void language sql as $$
      select pg_advisory_xact_lock(hashtext('killmaild:revaluations'))
    $$`

  // Provisional: appraised without some of the static data, or not at all.
  yield* sql`create index on killmails (killmail_time, killmail_id) where valuation_version is null`
})
