/** The clock of the rate limits as a test sets it: a millisecond of it lasts as long as the test likes. */
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"

export const virtualClock = Layer.effectDiscard(Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`create table virtual_clock (millis float8)`
  yield* sql`insert into virtual_clock values (1800000000000)`
  yield* sql`
    create or replace function clock_millis() returns float8 language sql volatile
    return (select millis from virtual_clock)`
}))

export const now = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ millis: number }>`select millis from virtual_clock`
  return row!.millis
})

export const setClock = Effect.fnUntraced(function*(millis: number) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`update virtual_clock set millis = ${millis}::float8`
})
