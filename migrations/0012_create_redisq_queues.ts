/** How far each listener of `/redisq/listen.php` has come, so that it misses nothing while it, or the daemon, is away. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`
    create table redisq_queues (
      queue_id text primary key,
      sequence bigint not null,
      heard_at timestamptz not null default clock_timestamp()
    )`
  yield* sql`comment on column redisq_queues.sequence is 'the last publication that was handed to it'`
})
