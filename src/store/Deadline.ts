/** Deadlines that hold: a query on a connection that went silent takes seconds to be stopped. */
import { type Cause, type Duration, Effect, Fiber } from "effect"
import { SqlError } from "effect/sql"

/** Ends at the deadline without waiting until the effect has stopped, which it is told to. */
const abandonedAfter = <A, E, R, B, E2>(
  effect: Effect.Effect<A, E, R>,
  join: (joined: Effect.Effect<A, E>) => Effect.Effect<B, E2>
): Effect.Effect<B, E2, R> =>
  Effect.flatMap(
    Effect.forkDetach(effect),
    (fiber) => join(Fiber.join(fiber)).pipe(Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe())))
  )

/** Fails at the deadline. */
export const within =
  (deadline: Duration.Input) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Cause.TimeoutError, R> =>
    abandonedAfter(effect, Effect.timeout(deadline))

/** A statement of milliseconds that has no answer by then has none to come: its connection is neither open nor closed. */
const answerDeadline = "10 seconds"

const unanswered = new SqlError.SqlError({
  reason: new SqlError.ConnectionError({
    cause: new Error(`no answer within ${answerDeadline}`),
    message: `Postgres did not answer within ${answerDeadline}.`
  })
})

/** For statements and transactions that take milliseconds: no answer is a lost connection. */
export const promptly = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError.SqlError, R> =>
  abandonedAfter(
    effect,
    (joined) => Effect.timeoutOrElse(joined, { duration: answerDeadline, orElse: () => Effect.fail(unanswered) })
  )
