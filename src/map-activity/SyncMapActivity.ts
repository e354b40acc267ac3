/** Once an hour: what the operator's pilots did on their wormhole map. Nothing, where no map is set. */
import { Effect, Option, Schema } from "effect"
import { explainSql } from "../ExplainSql.ts"
import * as Job from "../jobs/Job.ts"
import { handle } from "../jobs/JobRunner.ts"
import type { Settings } from "../Settings.ts"
import { MapActivityStore } from "../store/MapActivityStore.ts"
import { characterActivity, mapOf, userCharacters, type WandererMap } from "./Wanderer.ts"

const name = "sync_map_activity"

const hour = 3_600_000
/** For an outage, and for a refusal that does not say how long. */
const later = hour / 6

const job = (isSet: boolean) =>
  Job.make({ name, payload: Schema.Struct({}), key: () => name, tier: "repair", ...(isSet ? { every: hour } : {}) })

/** A job that is left from when a map was set ends at once. */
export const syncMapActivity = (settings: Settings["Service"]) => {
  const map = mapOf(settings)
  return handle(
    job(Option.isSome(map)),
    () =>
      Option.isNone(map) ? Effect.succeed({ pilots: 0 }) : sync(map.value).pipe(
        Effect.interruptible,
        Effect.catchTags({
          WandererRefused: ({ message }) => new Job.JobFailed({ reason: "wanderer_refused", message }),
          SettingInvalid: ({ message }) => new Job.JobFailed({ reason: "wanderer_refused", message }),
          WandererUnavailable: ({ message, retryAfter }) =>
            new Job.JobPostponed({ delayMillis: retryAfter ?? later / settings.scheduleSpeed, message }),
          SqlError: explainSql
        })
      )
  )
}

const sync = Effect.fnUntraced(function*(map: WandererMap) {
  const totals = yield* characterActivity(map)
  if (totals.length === 0) return { pilots: 0 }
  // A user is shown under another character whenever that has done more, and is not to have done everything once more.
  // Where the list is refused, each character is taken for a user.
  const users = yield* userCharacters(map).pipe(Effect.catchTag("WandererRefused", () => Effect.succeed([])))
  return { pilots: yield* (yield* MapActivityStore).note(`${map.url.host}/${map.slug}`, totals, users) }
})
