/** Listening on a channel of Postgres, in a way that ends at once even where the connection went silent. */
import { PgClient, PgConnection } from "@effect/sql-pg"
import { Context, Effect, Layer, type Queue, Scope } from "effect"
import type { SqlError } from "effect/sql"

export class Listening extends Context.Service<Listening, {
  /** What is notified, heard on a connection of its own until the scope closes. */
  readonly listen: (
    channel: string
  ) => Effect.Effect<Queue.Dequeue<PgConnection.Notification, SqlError.SqlError>, SqlError.SqlError, Scope.Scope>
}>()("killmaild/store/Listening") {
  static readonly layer = Layer.effect(
    Listening,
    Effect.map(PgClient.PgClient, ({ config }) =>
      Listening.of({
        listen: Effect.fnUntraced(function*(channel) {
          // The connection is closed before what listens on it: UNLISTEN would wait for an answer.
          const listening = yield* Effect.acquireRelease(Scope.make(), Scope.close)
          const connection = yield* PgConnection.make(config)
          return yield* Scope.provide(connection.listen(channel), listening)
        })
      }))
  )
}
