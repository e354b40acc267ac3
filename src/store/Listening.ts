/** Listening on a channel of Postgres, in a way that ends at once even where the connection went silent. */
import { PgClient, PgConnection } from "@effect/sql-pg"
import { Effect, Scope } from "effect"

/** What is notified, on a connection of its own, until the scope closes. */
export const listen = Effect.fnUntraced(function*(channel: string) {
  const { config } = yield* PgClient.PgClient
  // The connection is closed before what listens on it: UNLISTEN would wait for an answer, and a pool for UNLISTEN.
  const listening = yield* Effect.acquireRelease(Scope.make(), Scope.close)
  const connection = yield* PgConnection.make(config)
  return yield* Scope.provide(connection.listen(channel), listening)
})
