/** `deliver_push` tells one device of one notification. Added with the notification, by store/Notifications.ts. */
import { Effect, Option, Redacted, Schema } from "effect"
import { explainSql } from "../ExplainSql.ts"
import * as Job from "../jobs/Job.ts"
import { handle } from "../jobs/JobRunner.ts"
import { Names } from "../store/Names.ts"
import { Notifications } from "../store/Notifications.ts"
import { Sessions } from "../store/Sessions.ts"
import { Fcm } from "./Fcm.ts"
import { pushMessageOf, usefulMillis } from "./PushMessage.ts"

const DeliverPush = Job.make({
  name: "deliver_push",
  payload: Schema.Struct({ notification_id: Schema.String, session_id: Schema.String }),
  key: ({ notification_id, session_id }) => `deliver_push:${notification_id}:${session_id}`,
  tier: "user"
})

export const deliverPush = handle(DeliverPush, ({ notification_id, session_id }) =>
  Effect.gen(function*() {
    const { send } = yield* Fcm
    const notifications = yield* Notifications
    if (Option.isNone(send)) return { outcome: "push is off" }
    const found = yield* notifications.forDevice(notification_id, session_id)
    if (Option.isNone(found)) return { outcome: "read, or the device left" }
    const { push_token, ...notification } = found.value
    if (Date.now() - notification.created_at.getTime() > usefulMillis) {
      yield* notifications.settle(notification_id, "failed")
      return { outcome: "too old" }
    }
    const names = yield* Names.use(({ namesOf }) => namesOf(idsIn(notification)))
    return yield* send.value(Redacted.make(push_token), pushMessageOf(notification, names)).pipe(
      Effect.andThen(notifications.settle(notification_id, "sent")),
      Effect.as({ outcome: "sent" }),
      Effect.catchTag("DeviceGone", () =>
        Effect.as(
          Sessions.use(({ dropPushToken }) => dropPushToken(session_id, push_token)),
          { outcome: "device gone" }
        )),
      // Another try, or another device, may still tell it.
      Effect.tapErrorTag("PushRefused", () => notifications.settle(notification_id, "failed"))
    )
  }).pipe(
    Effect.catchTags({
      PushUnavailable: ({ message, waitMillis }) =>
        new Job.JobPostponed({ delayMillis: waitMillis * (1 + Math.random()), message }),
      PushRefused: ({ message }) => new Job.JobFailed({ reason: "push_refused", message }),
      SqlError: explainSql
    }),
    Effect.interruptible
  ))

const idsIn = ({ character_id, data }: { readonly character_id: number | null; readonly data: object }) =>
  [character_id, ...Object.entries(data).filter(([field]) => field.endsWith("_id")).map(([, id]) => id as unknown)]
    .filter((id): id is number => Number.isSafeInteger(id))
