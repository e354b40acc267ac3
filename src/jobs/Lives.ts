/**
 * Runs the jobs in one life after another. graphile-worker does not survive a lost connection: so a life ends at the first
 * sign of one, is buried (JobPools), and the next begins with nothing of the old.
 */
import { Cause, Deferred, Effect, Layer, Schedule } from "effect"
import { randomBytes } from "node:crypto"
import { countError } from "../telemetry/Metrics.ts"
import { JobPools } from "./JobPools.ts"
import type { Life } from "./JobRunner.ts"

/** A life shorter than this, in milliseconds, is followed by a pause when it is not the first such. */
const shortMillis = 3000
/** A burial that takes longer has a connection that is neither open nor closed. */
const patience = "10 seconds"
/** Between sweeps for what died elsewhere. */
const sweepInterval = "1 second"

/**
 * Prepares itself, begins its work when `mayBegin` has ended, and ends with the reason of its end. Interrupted, it stops
 * cleanly.
 */
export type Live<R> = (applicationName: string, mayBegin: Effect.Effect<unknown>) => Effect.Effect<string, never, R>

/** Lives for as long as the layer does. */
export const layer = <R>(live: Live<R>) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const pools = yield* JobPools

    const burial = (applicationName: string) =>
      pools.bury(applicationName).pipe(
        Effect.timeout(patience),
        Effect.retry({ schedule: Schedule.jittered(Schedule.spaced("100 millis")) }),
        Effect.orDie
      )

    const lives = Effect.gen(function*() {
      let mayBegin: Effect.Effect<unknown> = Effect.void
      let shortLives = 0
      for (;;) {
        const applicationName = `killmaild jobs ${randomBytes(6).toString("hex")}`
        const began = performance.now()
        const reason = yield* live(applicationName, mayBegin).pipe(
          Effect.onInterrupt(() => Effect.timeoutOption(burial(applicationName), "1 second"))
        )
        yield* countError("jobs", "life")
        yield* Effect.logWarning(`Jobs were lost and begin anew: ${reason}`)
        shortLives = performance.now() - began < shortMillis ? shortLives + 1 : 0
        if (shortLives > 1) yield* Effect.sleep(Math.min(5000, 100 * 2 ** shortLives))
        mayBegin = burial(applicationName)
      }
    })

    yield* Effect.forkScoped(lives)
    yield* Effect.forkScoped(
      pools.sweep.pipe(
        Effect.timeout(patience),
        Effect.ignore,
        Effect.andThen(Effect.sleep(sweepInterval)),
        Effect.forever
      )
    )
  }))

/** A life in this process: the layer is built for it, and taken down when it is lost. */
export const inThisProcess =
  <A, E, R>(jobs: (life: Omit<Life, "isLost">) => Layer.Layer<A, E, R>): Live<R> => (applicationName, mayBegin) =>
    Effect.scoped(Effect.gen(function*() {
      const lost = yield* Deferred.make<string>()
      const onLost = (reason: string) => Deferred.doneUnsafe(lost, Effect.succeed(reason))
      // graphile-worker leaves rejections to nobody when its connections break; Node would end the process for that.
      const onRejection = (reason: unknown) => onLost(`unhandled rejection: ${String(reason)}`)
      yield* Effect.acquireRelease(
        Effect.sync(() => process.on("unhandledRejection", onRejection)),
        () => Effect.sync(() => process.off("unhandledRejection", onRejection))
      )
      yield* mayBegin
      yield* Layer.build(jobs({ applicationName, onLost }))
      return yield* Deferred.await(lost)
    })).pipe(
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.succeed(`could not begin: ${Cause.pretty(cause)}`)
      )
    )
