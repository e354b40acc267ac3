/** What this process takes of its machine, and which version it is. */
import { Effect, Metric } from "effect"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { version } from "../Settings.ts"

const build = Metric.gauge("killmaild_build_info", { description: "1, with the version as a label" })
const residentBytes = Metric.gauge("killmaild_process_resident_memory_bytes", { description: "Resident memory" })
const cpuSeconds = Metric.counter("killmaild_process_cpu_seconds_total", {
  description: "CPU time used by this process, in seconds",
  incremental: true
})
const eventLoopDelay = Metric.gauge("killmaild_process_event_loop_delay_seconds", {
  description: "By how much timers were late since the last time this was asked: 99 of 100 by less, in seconds"
})

/** Milliseconds from one measurement to the next, which are part of what is measured. */
const resolution = 20
const delay = monitorEventLoopDelay({ resolution })
let cpuTold = 0

export const refresh = Effect.gen(function*() {
  yield* Metric.update(Metric.withAttributes(build, { version }), 1)
  yield* Metric.update(residentBytes, process.memoryUsage.rss())
  const { system, user } = process.cpuUsage()
  const cpu = (system + user) / 1e6
  yield* Metric.update(cpuSeconds, cpu - cpuTold)
  cpuTold = cpu
  delay.enable()
  yield* Metric.update(eventLoopDelay, Math.max(0, delay.percentile(99) / 1e9 - resolution / 1000))
  delay.reset()
})
