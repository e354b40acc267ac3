/** Once a day, and when a daemon is new: imports CCP's static data when they published a build that is not here. */
import { Effect, Schema } from "effect"
import * as Job from "../jobs/Job.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { handle } from "../jobs/JobRunner.ts"
import { Settings } from "../Settings.ts"
import { causeText, isPassing } from "../store/Database.ts"
import { StaticDataStore } from "../store/StaticDataStore.ts"
import { importStaticData } from "./ImportStaticData.ts"
import { LearnStaticData } from "./LearnStaticData.ts"

const hour = 3_600_000
/** Hours after which ids that ESI did not know may be asked for again. */
const refusedHours = 24

const name = "refresh_static_data"

const RefreshStaticData = Job.make({
  name,
  payload: Schema.Struct({}),
  key: () => name,
  tier: "repair",
  every: 24 * hour,
  // The archive has 100 MB, and some lines are slow.
  deadlineMillis: hour,
  retryAfter: () => hour / 6
})

export const refreshStaticData = handle(RefreshStaticData, () =>
  Effect.gen(function*() {
    const { scheduleSpeed } = yield* Settings
    const later = (message: string, millis = hour) =>
      new Job.JobPostponed({ delayMillis: millis / scheduleSpeed, message })
    const outcome = yield* importStaticData(
      { kind: "latest" },
      { force: false, onProgress: () => Effect.void }
    ).pipe(
      Effect.interruptible,
      Effect.catchTags({
        LeaseHeld: () => later("Another import is running.", hour / 60),
        LeaseLost: () => later("Another replica took over.", hour / 60),
        SettingInvalid: ({ message }) => later(message),
        SdeUnavailable: ({ message, retryAfter }) =>
          Effect.andThen(
            Effect.logWarning(`CCP's static data cannot be had, asks again later: ${message}`),
            new Job.JobPostponed({ delayMillis: retryAfter ?? hour / 6 / scheduleSpeed, message })
          ),
        SdeUnusable: ({ message }) => new Job.JobFailed({ reason: "undecodable", message }),
        SqlError: (error) =>
          isPassing(error)
            ? later(`Postgres was not there, or busy: ${causeText(error)}`, hour / 60)
            : new Job.JobFailed({ reason: "database", message: `Postgres: ${causeText(error)}` })
      })
    )
    if (outcome.status === "imported") yield* Effect.logInfo(`Static data: build ${outcome.build} is here.`)
    yield* askAgain
    return outcome
  }))

/** What nobody knew yesterday may be known now; and what was wanted when ESI failed is still wanted. */
const askAgain = Effect.gen(function*() {
  const store = yield* StaticDataStore
  yield* store.forgetRefused(refusedHours)
  const { systemIds, typeIds } = yield* store.requested(1)
  if (systemIds.length + typeIds.length > 0) yield* (yield* JobQueue).add(LearnStaticData, {})
}).pipe(Effect.mapError((error) => new Job.JobFailed({ reason: "database", message: error.message })))
