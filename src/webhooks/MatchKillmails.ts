/**
 * Follows publications in order of their sequence, and matches each with what users and the operator want to be told of:
 * deliveries to webhooks, with their jobs, and notifications. They are written in the transaction that moves the place up to
 * which all is matched: so each is told once, whatever dies. Of all replicas one is at it at a time.
 */
import { Cause, Effect, Layer, Queue } from "effect"
import { crashPoint } from "../CrashPoint.ts"
import type { KillmailRow } from "../domain/Document.ts"
import * as FilterIndex from "../domain/FilterIndex.ts"
import { normaliseTime } from "../domain/Killmail.ts"
import { factIdsOf, subjectOf } from "../domain/Matching.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { StaticData } from "../static-data/StaticData.ts"
import { within } from "../store/Deadline.ts"
import { type KillmailAlert, KillmailAlerts } from "../store/KillmailAlerts.ts"
import { KillmailReader, type Publication } from "../store/KillmailReader.ts"
import { publicationsChannel } from "../store/KillmailStore.ts"
import { Listening } from "../store/Listening.ts"
import { type News, Notifications } from "../store/Notifications.ts"
import { type ListeningWebhook, WebhookDeliveries } from "../store/WebhookDeliveries.ts"
import { messageOf } from "../telemetry/Messages.ts"
import { countError } from "../telemetry/Metrics.ts"
import { DeliverWebhook } from "./DeliverWebhook.ts"

/** Publications of one transaction. */
const pageSize = 200
/** A NOTIFY may be lost: without one the ledger is looked at this often. */
const pollInterval = "2 seconds"
/** What comes within this time is matched together. */
const gathering = "100 millis"
const deadline = "1 minute"

/** Who is told of what fits. */
type Listener =
  | { readonly _tag: "Webhook"; readonly id: string; readonly since: ListeningWebhook["since"] }
  | { readonly _tag: "Alert"; readonly alert: Pick<KillmailAlert, "id" | "name"> & { readonly user_id: string } }

interface Filters {
  readonly version: string
  readonly size: number
  readonly index: FilterIndex.FilterIndex<Listener>
}

/** Matches a page of what was published; says whether there was something. */
export const makeMatcher = Effect.gen(function*() {
  const deliveries = yield* WebhookDeliveries
  const alerts = yield* KillmailAlerts
  const notifications = yield* Notifications
  const reader = yield* KillmailReader
  const staticData = yield* StaticData
  const queue = yield* JobQueue
  let known: Filters | undefined

  const filters = Effect.gen(function*() {
    const version = yield* deliveries.version
    if (known?.version === version) return known
    const index = FilterIndex.make<Listener>()
    const webhooks = yield* deliveries.listening
    const enabled = yield* alerts.enabled
    for (const { filter, id, since } of webhooks) index.add(filter, { _tag: "Webhook", id, since })
    for (const { filter, ...alert } of enabled) index.add(filter, { _tag: "Alert", alert })
    return known = { version, index, size: webhooks.length + enabled.length }
  })

  const fitting = Effect.fnUntraced(function*(page: ReadonlyArray<Publication>, { index }: Filters) {
    const wanted = page.map(({ row }) => factIdsOf(row))
    const { facts } = yield* staticData.factsFor({
      typeIds: wanted.flatMap(({ typeIds }) => typeIds),
      systemIds: wanted.flatMap(({ systemIds }) => systemIds)
    })
    return page.flatMap(({ row, sequence }) =>
      index.fitting(subjectOf(row, facts)).map((listener) => ({ row, sequence, listener }))
    )
  })

  const tell = Effect.fnUntraced(function*(found: Effect.Success<ReturnType<typeof fitting>>) {
    const due = yield* deliveries.add(
      found.flatMap(({ listener, row, sequence }) =>
        listener._tag === "Webhook" && sequence > listener.since
          ? [{ webhook_id: listener.id, sequence, killmail_id: row.killmail_id }]
          : []
      )
    )
    if (due.length > 0) yield* queue.addAll(DeliverWebhook, due)
    yield* notifications.add(
      found.flatMap(({ listener, row, sequence }) =>
        listener._tag === "Alert" ? [newsOf(listener.alert, row, sequence)] : []
      )
    )
  })

  const matchPage = Effect.fnUntraced(function*(after: number, last: number, current: Filters) {
    if (current.size === 0) return last
    const page = yield* reader.publishedAfter(after, Math.min(pageSize, last - after))
    yield* tell(yield* fitting(page, current))
    return page.at(-1)?.sequence ?? last
  })

  return deliveries.follow(Effect.fnUntraced(function*(sequence) {
    // Looked at before the filters are, and no further: what was there before a killmail is asked about it.
    const last = yield* reader.lastSequence
    if (last <= sequence) return last
    const next = yield* matchPage(sequence, last, yield* filters)
    yield* crashPoint("publications matched, not committed")
    return next
  }))
})

const newsOf = (
  { id, name, user_id }: Extract<Listener, { readonly _tag: "Alert" }>["alert"],
  row: KillmailRow,
  sequence: number
): News => ({
  user_id,
  character_id: null,
  kind: "killmail_matched",
  subject: String(row.killmail_id),
  data: {
    alert_id: id,
    alert: name,
    killmail_id: row.killmail_id,
    sequence,
    killmail_time: normaliseTime(row.killmail_time),
    solar_system_id: row.solar_system_id,
    ship_type_id: row.victim_ship_type_id,
    total_value: row.total_value
  }
})

/** Runs for as long as the layer lives, with whatever trouble. */
export const layer = Layer.effectDiscard(Effect.gen(function*() {
  const { listen } = yield* Listening
  const matchSome = yield* makeMatcher

  const turn = Effect.scoped(Effect.gen(function*() {
    const notified = yield* within("5 seconds")(listen(publicationsChannel))
    for (;;) {
      while (yield* within(deadline)(matchSome));
      yield* Effect.timeoutOption(Queue.takeBetween(notified, 1, Number.POSITIVE_INFINITY), pollInterval)
      yield* Effect.sleep(gathering)
      yield* Queue.clear(notified)
    }
  }))

  yield* turn.pipe(
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause)
        : Effect.logWarning(`Killmails could not be matched with what users want, goes on soon: ${messageOf(cause)}`)
          .pipe(
            Effect.andThen(countError("webhooks", "match")),
            Effect.andThen(Effect.sleep("1 second"))
          )
    ),
    Effect.forever,
    Effect.forkScoped
  )
}))
