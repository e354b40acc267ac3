/** Metrics that more than one room updates; a metric of one room stands there. All are in the base units of Prometheus. */
import { Effect, Metric } from "effect"

export const killmailsProcessed = Metric.counter("killmaild_killmails_processed_total", {
  description: "Killmails by source and outcome: stored, known, postponed, failed",
  incremental: true
})

export const processingSeconds = Metric.histogram("killmaild_processing_seconds", {
  description: "From hearing of a killmail to its transaction's commit, in seconds",
  boundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600]
})

export const killmailLagSeconds = Metric.gauge("killmaild_killmail_lag_seconds", {
  description: "Age of the newest killmail stored live, when it was stored, in seconds"
})

export const lastKillmailTimestamp = Metric.gauge("killmaild_last_killmail_timestamp_seconds", {
  description: "killmail_time of the killmail stored last, in seconds since 1970"
})

const feedRequests = Metric.counter("killmaild_feed_requests_total", {
  description: "Requests to feeds by result: ok, empty, not_found, refused, error",
  incremental: true
})

export const feedCursor = Metric.gauge("killmaild_feed_cursor", { description: "Next cursor of each feed" })

export const feedLagSeconds = Metric.gauge("killmaild_feed_lag_seconds", {
  description: "From a killmail's publication by the feed to our hearing of it, in seconds"
})

export const feedRestarts = Metric.counter("killmaild_feed_restarts_total", {
  description: "How often a feed was started again after a failure",
  incremental: true
})

export const feedBackoffSeconds = Metric.gauge("killmaild_feed_backoff_seconds", {
  description: "The pause after the feed's last failure, in seconds; 0 once it is well again"
})

export const announcements = Metric.counter("killmaild_announcements_total", {
  description: "Killmails announced to the listeners of this process",
  incremental: true
})

export const broadcastMessages = Metric.counter("killmaild_broadcast_messages_total", {
  description: "Messages sent to subscribers by protocol",
  incremental: true
})

export const subscribers = Metric.gauge("killmaild_subscribers", { description: "Open subscriptions by protocol" })

const errorsTotal = Metric.counter("killmaild_errors_total", {
  description: "Errors by place and kind",
  incremental: true
})

export const countError = (where: string, kind: string): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(errorsTotal, { where, kind }), 1)

export const countFeedRequest = (feed: string, result: string): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(feedRequests, { feed, result }), 1)

const agreement = Metric.counter("killmaild_agreement_total", {
  description: "Killmails whose field was compared with zKillboard's: agree, differ, or unpriced where we lack a price",
  incremental: true
})

export const countAgreement = (
  compared: ReadonlyArray<{ readonly field: string; readonly verdict: string }>
): Effect.Effect<void> =>
  Effect.forEach(
    compared,
    ({ field, verdict }) => Metric.update(Metric.withAttributes(agreement, { field, verdict }), 1),
    { discard: true }
  )
