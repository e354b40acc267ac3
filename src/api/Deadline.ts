/** Deadlines that hold: a query on a connection that went silent takes seconds to be stopped. */
import { type Cause, type Duration, Effect, Fiber } from "effect"

/** Fails at the deadline without waiting until the effect has stopped, which it is told to. */
export const within =
  (deadline: Duration.Input) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Cause.TimeoutError, R> =>
    Effect.flatMap(Effect.forkDetach(effect), (fiber) =>
      Fiber.join(fiber).pipe(
        Effect.timeout(deadline),
        Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe()))
      ))
