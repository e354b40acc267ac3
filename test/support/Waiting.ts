/** Waiting for what a client will have been told, without asking again and again. */
import { Effect } from "effect"

export const makeWaiting = () => {
  const waiting = new Set<() => void>()
  return {
    /** Something was told: all look again. */
    wake: () => waiting.forEach((look) => look()),
    /** What `found` finds, now or after some `wake`. */
    when: <A, E>(found: () => Effect.Effect<A, E> | undefined): Effect.Effect<A, E> =>
      Effect.callback((resume) => {
        const look = () => {
          const result = found()
          if (result === undefined) return
          waiting.delete(look)
          resume(result)
        }
        waiting.add(look)
        look()
      })
  }
}
