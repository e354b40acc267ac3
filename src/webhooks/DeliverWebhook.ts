/**
 * `deliver_webhook` tells one webhook of one killmail. It is told at least once: whoever dies between the receiver's answer
 * and the note of it tells it again, under the same id. Those that come in a burst wait for their turn in the order in which
 * they were published, as each looks at how many are ahead of it.
 */
import { Effect, Metric, Option, Schema } from "effect"
import type { KillmailRow } from "../domain/Document.ts"
import { explainSql } from "../ExplainSql.ts"
import * as Job from "../jobs/Job.ts"
import { handle } from "../jobs/JobRunner.ts"
import { KillmailReader } from "../store/KillmailReader.ts"
import { Names } from "../store/Names.ts"
import { type DeliveryKey, type DueDelivery, type Outcome, WebhookDeliveries } from "../store/WebhookDeliveries.ts"
import type { WebhookFormat } from "../store/Webhooks.ts"
import type { Verdict } from "./Verdict.ts"
import { budgets, type SendError, WebhookSender } from "./WebhookSender.ts"

/** Milliseconds between two tries: 10 s, then twice as long each time; the last one comes an hour and a half later. */
const retryAfter = (attempt: number) => 5000 * 2 ** attempt
const attempts = 10
/** Milliseconds. A receiver that wants us to wait is not waited for any longer. */
const longestMillis = 24 * 3_600_000

export const DeliverWebhook = Job.make<DeliveryKey>({
  name: "deliver_webhook",
  payload: Schema.Struct({ webhook_id: Schema.String, sequence: Schema.Int }),
  key: ({ sequence, webhook_id }) => `webhook:${webhook_id}:${sequence}`,
  tier: "user",
  attempts,
  retryAfter
})

/** Milliseconds that a message waits for the names of pilots who are new here: ESI is asked within seconds. */
const patienceMillis = 20_000

const deliveriesTotal = Metric.counter("killmaild_webhook_deliveries_total", {
  description: "Messages to webhooks by format and outcome: delivered, retrying, paused, failed, disabled",
  incremental: true
})
const count = (format: WebhookFormat, outcome: "delivered" | "retrying" | "paused" | "failed" | "disabled") =>
  Metric.update(Metric.withAttributes(deliveriesTotal, { format, outcome }), 1)

export const deliverWebhook = handle(DeliverWebhook, (key) =>
  Effect.gen(function*() {
    const due = yield* WebhookDeliveries.use(({ find }) => find(key))
    if (Option.isNone(due)) return yield* skipped(key)
    const delivery = due.value
    const { ahead, format } = delivery
    const { limit, windowMillis } = budgets[format]
    if (ahead >= limit) return yield* later(key, delivery, ahead / limit * windowMillis)
    const found = yield* KillmailReader.use(({ find }) => find(delivery.killmail_id))
    if (Option.isNone(found)) return yield* skipped(key)
    const row = found.value
    if (format !== "json" && delivery.age_millis < patienceMillis && !(yield* areNamed(row))) {
      return yield* new Job.JobPostponed({ delayMillis: 2000, message: "Waits to learn how the pilots are called." })
    }
    const target = { id: key.webhook_id, format, filter: delivery.filter, sealed: delivery }
    const { answer, verdict } = yield* WebhookSender.use(({ send }) => send(target, row, messageIdOf(delivery)))
      .pipe(Effect.catch((error) => untold(key, delivery, error)))
    return yield* conclude(key, delivery, verdict, answer.status)
  }).pipe(Effect.catchTags({ SqlError: explainSql })))

/** The webhook is gone or disabled, or the killmail not public. */
const skipped = (key: DeliveryKey) => Effect.as(WebhookDeliveries.use(({ skip }) => skip(key)), { outcome: "skipped" })

const areNamed = (row: KillmailRow) => {
  const finalBlow = row.attackers.find(({ final_blow }) => final_blow)
  const wanted = [row.victim_character_id, finalBlow?.character_id].filter((id) => typeof id === "number")
  return Effect.map(Names.use(({ namesOf }) => namesOf(wanted)), (known) => wanted.every((id) => known.has(id)))
}

/** The same for each try, and when it is told again. */
const messageIdOf = ({ killmail_id }: DueDelivery): string => `killmail_${killmail_id}`

const conclude = (key: DeliveryKey, delivery: DueDelivery, verdict: Verdict, httpStatus: number) => {
  switch (verdict._tag) {
    case "Delivered":
      return noted(key, delivery, { status: "delivered", httpStatus, error: null }, "delivered")
    case "Gone":
      return WebhookDeliveries.use(({ disable }) => disable(key.webhook_id, verdict.because)).pipe(
        Effect.andThen(noted(key, delivery, { status: "failed", httpStatus, error: verdict.because }, "disabled"))
      )
    case "Wait":
      return later(key, delivery, verdict.millis)
    case "Refused":
      return Effect.andThen(
        noted(key, delivery, { status: "failed", httpStatus, error: verdict.because }, "failed"),
        new Job.JobRefused({ reason: "webhook_refused", message: `The receiver does not want it: ${verdict.because}.` })
      )
    case "Failed":
      return failed(key, delivery, verdict.because, httpStatus)
  }
}

/** Nothing was answered, or nothing was sent. */
const untold = (key: DeliveryKey, delivery: DueDelivery, error: SendError) => {
  switch (error._tag) {
    case "SqlError":
      return Effect.fail(error)
    case "WebhookPaused":
      return later(key, delivery, error.waitMillis)
    case "WebhookForbidden":
    case "WebhookUnreachable":
    case "WebhookUnreadable":
    case "EncryptionKeysUnavailable":
      return failed(key, delivery, error.message, null)
  }
}

const later = Effect.fnUntraced(function*(key: DeliveryKey, delivery: DueDelivery, delayMillis: number) {
  if (delivery.age_millis > longestMillis) {
    return yield* failed(key, { ...delivery, attempts }, "it wanted us to wait for a day", 429)
  }
  yield* count(delivery.format, "paused")
  return yield* new Job.JobPostponed({ delayMillis, message: "The receiver is not to be sent anything for now." })
})

const failed = Effect.fnUntraced(
  function*(key: DeliveryKey, delivery: DueDelivery, error: string, httpStatus: number | null) {
    const isLast = delivery.attempts + 1 >= attempts
    const status = isLast ? "failed" : "waiting"
    yield* noted(key, delivery, { status, httpStatus, error }, isLast ? "failed" : "retrying")
    return yield* isLast
      ? new Job.JobRefused({ reason: "webhook_failed", message: error })
      : new Job.JobFailed({ reason: "webhook_failed", message: error })
  }
)

const noted = Effect.fnUntraced(
  function*(
    key: DeliveryKey,
    { format }: DueDelivery,
    outcome: Outcome,
    counted: "delivered" | "retrying" | "failed" | "disabled"
  ) {
    yield* WebhookDeliveries.use(({ settle }) => settle(key, outcome))
    yield* count(format, counted)
    return { outcome: counted }
  }
)
