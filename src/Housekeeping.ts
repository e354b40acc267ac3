/** The daemon's jobs for itself, on a schedule: months made ahead and closed, and what has served its time thrown away. */
import { Effect, Schema } from "effect"
import type { SqlError } from "effect/sql"
import * as Job from "./jobs/Job.ts"
import { handle } from "./jobs/JobRunner.ts"
import { Imports } from "./store/Imports.ts"
import { Maintenance } from "./store/Maintenance.ts"

const hourly = 3_600_000

const scheduled = (name: string) =>
  Job.make({
    name,
    payload: Schema.Struct({}),
    key: () => name,
    tier: "repair",
    every: hourly,
    deadlineMillis: hourly / 2
  })

const failed = (error: SqlError.SqlError) => new Job.JobFailed({ reason: "database", message: error.message })

const createPartitions = handle(scheduled("create_partitions"), () =>
  Effect.gen(function*() {
    const maintenance = yield* Maintenance
    const imports = yield* Imports
    return {
      created: yield* maintenance.createPartitions,
      indexed: yield* imports.indexMonths,
      frozen: yield* maintenance.freezeMonths
    }
  }).pipe(Effect.mapError(failed), Effect.interruptible))

const cleanUp = handle(
  scheduled("clean_up"),
  () => Maintenance.use(({ cleanUp }) => cleanUp).pipe(Effect.mapError(failed), Effect.interruptible)
)

export const handlers = [createPartitions, cleanUp]
