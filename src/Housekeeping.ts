/** The daemon's jobs for itself, on a schedule: months made ahead and closed, and what has served its time thrown away. */
import { Effect, Schema } from "effect"
import type { SqlError } from "effect/sql"
import * as Job from "./jobs/Job.ts"
import { handle } from "./jobs/JobRunner.ts"
import { CachedData } from "./store/CachedData.ts"
import { CharacterData } from "./store/CharacterData.ts"
import { Imports } from "./store/Imports.ts"
import { Maintenance } from "./store/Maintenance.ts"
import { Notifications } from "./store/Notifications.ts"
import { Sessions } from "./store/Sessions.ts"
import { Users } from "./store/Users.ts"
import { WebhookDeliveries } from "./store/WebhookDeliveries.ts"

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

const cleanUp = handle(scheduled("clean_up"), () =>
  Effect.gen(function*() {
    const maintenance = yield* Maintenance
    const cached = yield* CachedData
    return {
      ...(yield* maintenance.cleanUp),
      cached_data: yield* cached.removeExpired,
      sessions: yield* Sessions.use(({ removeExpired }) => removeExpired),
      notifications: yield* Notifications.use(({ removeOld }) => removeOld),
      character_changes: yield* CharacterData.use(({ removeOldChanges }) => removeOldChanges),
      sign_ins: yield* Users.use(({ removeExpired }) => removeExpired),
      webhook_deliveries: yield* WebhookDeliveries.use(({ removeOld }) => removeOld)
    }
  }).pipe(Effect.mapError(failed), Effect.interruptible))

export const handlers = [createPartitions, cleanUp]
