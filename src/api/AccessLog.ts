/** Every request as seen from outside: counted, timed and, with KILLMAILD_ACCESS_LOG, a line in the log. */
import { Effect, Metric } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { Settings } from "../Settings.ts"
import { clientOf } from "./ClientAddress.ts"

const requests = Metric.counter("killmaild_http_requests_total", {
  description: "HTTP requests answered, by method and status; `aborted` where the client left before the end",
  incremental: true
})
const requestSeconds = Metric.histogram("killmaild_http_request_seconds", {
  description: "From a request's head to its answer's end, in seconds, but for streams of events",
  boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
})

/** Hears of each request when it begins. Paths are logged without their query, which is the client's own business. */
export const observer = Effect.gen(function*() {
  const { accessLog, trustedProxies } = yield* Settings
  const run = Effect.runForkWith(yield* Effect.context<never>())
  return (request: IncomingMessage, response: ServerResponse): void => {
    const begun = performance.now()
    response.once("close", () => {
      const seconds = (performance.now() - begun) / 1000
      const { method = "" } = request
      const status = response.writableFinished ? String(response.statusCode) : "aborted"
      const path = (request.url ?? "").split("?", 1)[0]
      const isStream = String(response.getHeader("content-type")).startsWith("text/event-stream")
      run(Effect.all([
        Metric.update(Metric.withAttributes(requests, { method, status }), 1),
        isStream ? Effect.void : Metric.update(requestSeconds, seconds),
        accessLog === "on"
          ? Effect.logInfo(`${method} ${path}`, {
            method,
            path,
            status,
            milliseconds: Math.round(seconds * 1000),
            client: clientOf(request, trustedProxies),
            user_agent: request.headers["user-agent"]
          })
          : Effect.void
      ], { discard: true }))
    })
  }
})
