/** `/metrics` in Prometheus' text format: what the rooms counted, and what the database says at this moment. */
import { Effect, Metric, Option } from "effect"
import { type Headers, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { JobQueue } from "../jobs/JobQueue.ts"
import { within } from "../store/Deadline.ts"
import { EntityStore } from "../store/EntityStore.ts"
import { Gaps } from "../store/Gaps.ts"
import { Maintenance } from "../store/Maintenance.ts"
import { isOfPilot, RateLimits } from "../store/RateLimits.ts"
import { StatisticsStore } from "../store/StatisticsStore.ts"
import { WebhookDeliveries } from "../store/WebhookDeliveries.ts"
import { MetricSources } from "../telemetry/MetricSources.ts"
import { AdminToken, bearerIn } from "./AdminToken.ts"
import { isLocal } from "./ClientAddress.ts"
import { problem } from "./Problem.ts"
import * as ProcessMetrics from "./ProcessMetrics.ts"

const queueJobs = Metric.gauge("killmaild_queue_jobs", { description: "Jobs in the queue by task and state" })
const oldestWaiting = Metric.gauge("killmaild_queue_oldest_waiting_seconds", {
  description: "How long the oldest job that could run has waited, in seconds"
})
const entitiesWanted = Metric.gauge("killmaild_entities_wanted", {
  description: "Characters, corporations and alliances that ESI is still to be asked about, by kind"
})
const upstreamPause = Metric.gauge("killmaild_upstream_pause_seconds", {
  description: "For how long nothing is asked under this budget, over all replicas, in seconds"
})
const openGaps = Metric.gauge("killmaild_gaps_open", { description: "Gaps that are not closed yet" })
const oldestGap = Metric.gauge("killmaild_gap_oldest_seconds", {
  description: "Age of the oldest gap that is not closed yet, in seconds"
})
const completeness = Metric.gauge("killmaild_completeness_ratio", {
  description: "Of zKillboard's killmails of the days that are kept, the share that is here"
})
const partitionDays = Metric.gauge("killmaild_partition_days_left", {
  description: "Days until the first killmail that would have no table to go to"
})
const statisticsBacklog = Metric.gauge("killmaild_statistics_backlog", {
  description: "What the statistics do not count yet: publications, and days that changed"
})
const webhookBacklog = Metric.gauge("killmaild_webhook_backlog", {
  description: "Messages to webhooks that are to be sent, and publications that were not matched with their filters yet"
})
const webhookOldest = Metric.gauge("killmaild_webhook_oldest_waiting_seconds", {
  description: "For how long the oldest message to a webhook has waited, in seconds"
})
const databaseUp = Metric.gauge("killmaild_database_up", {
  description: "1 while the database answers this page; what it would have told is old otherwise"
})

const states = ["waiting", "scheduled", "active", "failed"] as const

/** The database must answer within this, or the page goes without what it would have said. */
const deadline = "2 seconds"

/** This machine may read the page, and the operator from anywhere. */
export const mayRead = (
  address: Option.Option<string>,
  headers: Headers.Headers,
  token: AdminToken["Service"]
): boolean => isLocal(Option.getOrUndefined(address), headers) || token.matches(bearerIn(headers["authorization"]))

export const layer = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const queue = yield* JobQueue
  const limits = yield* RateLimits
  const entities = yield* EntityStore
  const gaps = yield* Gaps
  const maintenance = yield* Maintenance
  const token = yield* AdminToken
  const sources = yield* MetricSources
  const statistics = yield* StatisticsStore
  const deliveries = yield* WebhookDeliveries
  /** A task that left the queue is told as 0 from then on, not left at its last value. */
  const told = new Set<string>()

  const refreshQueue = Effect.gen(function*() {
    const rows = yield* queue.stats()
    for (const task of new Set([...told, ...rows.map((row) => row.task)])) {
      told.add(task)
      const mine = rows.filter((row) => row.task === task)
      for (const state of states) {
        const sum = mine.reduce((total, row) => total + row[state], 0)
        yield* Metric.update(Metric.withAttributes(queueJobs, { task, state }), sum)
      }
      const oldest = Math.min(...mine.map((row) => row.oldest_waiting?.getTime() ?? Infinity))
      const age = Number.isFinite(oldest) ? Math.max(0, Date.now() - oldest) / 1000 : 0
      yield* Metric.update(Metric.withAttributes(oldestWaiting, { task }), age)
    }
  })

  const refreshEntities = Effect.gen(function*() {
    for (const [kind, count] of Object.entries(yield* entities.countWanted)) {
      yield* Metric.update(Metric.withAttributes(entitiesWanted, { kind }), count)
    }
  })

  const refreshPauses = Effect.gen(function*() {
    for (const { bucket, pauseMillis } of yield* limits.list()) {
      if (isOfPilot(bucket)) continue
      yield* Metric.update(Metric.withAttributes(upstreamPause, { bucket }), pauseMillis / 1000)
    }
  })

  const refreshGaps = Effect.gen(function*() {
    const { oldestSeconds, open, ratio } = yield* gaps.completeness
    yield* Metric.update(openGaps, open)
    yield* Metric.update(oldestGap, oldestSeconds)
    yield* Metric.update(completeness, ratio)
    yield* Metric.update(partitionDays, yield* maintenance.daysLeft)
  })

  const refreshStatistics = Effect.gen(function*() {
    for (const [what, count] of Object.entries(yield* statistics.backlog)) {
      yield* Metric.update(Metric.withAttributes(statisticsBacklog, { what }), count)
    }
  })

  const refreshWebhooks = Effect.gen(function*() {
    const { oldestSeconds, unmatched, waiting } = yield* deliveries.backlog
    yield* Metric.update(Metric.withAttributes(webhookBacklog, { what: "messages" }), waiting)
    yield* Metric.update(Metric.withAttributes(webhookBacklog, { what: "publications" }), unmatched)
    yield* Metric.update(webhookOldest, oldestSeconds)
  })

  const refreshers = [refreshQueue, refreshPauses, refreshEntities, refreshGaps, refreshStatistics, refreshWebhooks]

  const page = Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    if (!mayRead(Option.map(request.remoteAddress, String), request.headers, token)) {
      return problem(401, "Wants the admin token (Authorization: Bearer …) from anywhere but this machine.")
    }
    // Without the database the process still tells what it knows itself.
    const isUp = yield* Effect.all(refreshers, { discard: true }).pipe(
      within(deadline),
      Effect.match({ onFailure: () => 0, onSuccess: () => 1 })
    )
    yield* Metric.update(databaseUp, isUp)
    yield* ProcessMetrics.refresh
    const text = yield* sources.mergedWith(yield* PrometheusMetrics.format())
    return HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4; charset=utf-8" })
  })

  yield* router.add("GET", "/metrics", page)
}))
