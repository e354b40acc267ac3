/** What the refreshes of characters, corporations and alliances have in common. */
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { EsiError } from "../esi/EsiError.ts"
import * as Job from "../jobs/Job.ts"
import { causeText, isPassing } from "../store/Database.ts"
import { type LeaseHeld, type LeaseLost, Leases } from "../store/Leases.ts"

/** One job is for all who are wanted, as they are in the tables; after so long another one goes on. */
export const longestMillis = 60_000
/** Beside that, a slow ESI may take its time for the last question. */
export const deadlineMillis = 600_000

/** Nobody waits for a name: when ESI is in trouble, it is asked again after this. */
export const patienceMillis = 60_000

export type Failure = EsiError | SqlError.SqlError

/** Runs it where no other replica does, as both would ask ESI about the same; says what an error means for the job. */
export const alone = <A, R>(name: string, refresh: Effect.Effect<A, Failure, R>) =>
  Effect.scoped(Effect.gen(function*() {
    const lease = yield* (yield* Leases).acquire(name)
    return yield* Effect.raceFirst(refresh, lease.lost)
  })).pipe(Effect.interruptible, Effect.mapError(explain))

/** There is none such, says ESI. */
export const isNotFound = (error: Failure): boolean => error._tag === "EsiError" && error.reason._tag === "EsiNotFound"

/** ESI or the database is not to be asked now: no fault of whom was asked about. */
export const isPause = (error: Failure): boolean => error._tag === "SqlError" || error.reason._tag === "EsiPaused"

const later = (delayMillis: number, message: string) => new Job.JobPostponed({ delayMillis, message })

const explain = (error: Failure | LeaseHeld | LeaseLost): Job.JobError => {
  switch (error._tag) {
    case "LeaseHeld":
      return later(2000, "Another replica asks ESI already.")
    case "LeaseLost":
      return later(2000, "Another replica took over.")
    case "SqlError":
      return Job.databaseFailed(isPassing(error), causeText(error))
    case "EsiError": {
      const { message, reason } = error
      if (reason._tag === "EsiPaused") return later(reason.waitMillis, message)
      return reason._tag === "EsiRefused"
        ? new Job.JobRefused({ reason: "esi_refused", message })
        : later(patienceMillis, message)
    }
  }
}
