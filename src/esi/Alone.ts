/** Questions that one replica asks for all. */
import { Effect } from "effect"
import * as Job from "../jobs/Job.ts"
import { Leases } from "../store/Leases.ts"

/** Asks where no other replica does, as both would ask ESI the same; elsewhere the job comes back. */
export const alone = <A, E, R>(name: string, questions: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const leases = yield* Leases
    const lease = yield* leases.acquire(name).pipe(
      Effect.catchTag("LeaseHeld", () => later("Another replica asks ESI already."))
    )
    return yield* Effect.raceFirst(
      questions,
      Effect.catchTag(lease.lost, "LeaseLost", () => later("Another replica took over."))
    )
  }).pipe(Effect.scoped, Effect.interruptible)

const later = (message: string) => Effect.fail(new Job.JobPostponed({ delayMillis: 2000, message }))
