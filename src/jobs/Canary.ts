/** A job that does nothing but prove that jobs run: added now and then, it goes through the whole queue. */
import { Context, Effect, Layer, Schema } from "effect"
import * as Job from "./Job.ts"
import { JobQueue } from "./JobQueue.ts"
import { handle } from "./JobRunner.ts"

/** Between two canaries of one process. */
const interval = "5 seconds"
/** Milliseconds without a canary after which this process is not ready. Replicas share the canaries of all. */
export const missedMillis = 30_000

const job = Job.make({
  name: "canary",
  payload: Schema.Struct({ from: Schema.String }),
  key: ({ from }) => `canary:${from}`,
  tier: "live"
})

export class Canary extends Context.Service<Canary, {
  /** Milliseconds since one ran last in this process, whatever the clock was set to meanwhile; null before the first. */
  readonly age: () => number | null
  readonly note: Effect.Effect<void>
}>()("killmaild/jobs/Canary") {
  static readonly layer = Layer.sync(Canary, () => {
    let ranAt: number | null = null
    return Canary.of({
      age: () => ranAt === null ? null : performance.now() - ranAt,
      note: Effect.sync(() => {
        ranAt = performance.now()
      })
    })
  })
}

export const canary = handle(job, () => Canary.use(({ note }) => note))

/** Adds canaries for as long as the layer lives. */
export const release = (from: string) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const queue = yield* JobQueue
    yield* Effect.forkScoped(
      Effect.ignore(queue.add(job, { from })).pipe(Effect.andThen(Effect.sleep(interval)), Effect.forever)
    )
  }))
