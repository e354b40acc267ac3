/** `/metrics` in Prometheus' text format: what the rooms counted, and what the database says at this moment. */
import { Effect, Metric, Option } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { JobQueue } from "../jobs/JobQueue.ts"
import { AdminToken } from "./AdminToken.ts"
import { problem } from "./Problem.ts"

const queueJobs = Metric.gauge("killmaild_queue_jobs", { description: "Jobs in the queue by task and state" })
const oldestWaiting = Metric.gauge("killmaild_queue_oldest_waiting_seconds", {
  description: "How long the oldest job that could run has waited, in seconds"
})
const residentBytes = Metric.gauge("killmaild_process_resident_memory_bytes", { description: "Resident memory" })
const cpuSeconds = Metric.gauge("killmaild_process_cpu_seconds", { description: "CPU time used by this process" })

const states = ["waiting", "scheduled", "active", "failed"] as const

const loopback = /^(::1|127\.|::ffff:127\.)/

export const layer = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const queue = yield* JobQueue
  const token = yield* AdminToken
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

  const page = Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const near = Option.exists(request.remoteAddress, (address) => loopback.test(String(address)))
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1]
    if (!near && !(bearer !== undefined && token.matches(bearer))) {
      return problem(401, "Wants the admin token (Authorization: Bearer …) from anywhere but this machine.")
    }
    // Without the database the process still tells what it knows itself.
    yield* Effect.ignore(refreshQueue)
    yield* Metric.update(residentBytes, process.memoryUsage.rss())
    const { system, user } = process.cpuUsage()
    yield* Metric.update(cpuSeconds, (system + user) / 1e6)
    const text = yield* PrometheusMetrics.format()
    return HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4; charset=utf-8" })
  })

  yield* router.add("GET", "/metrics", page)
}))
