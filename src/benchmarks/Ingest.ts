/**
 * `benchmark ingest`: how fast the live path is beside what Postgres can do at all, what it costs, and how long a killmail
 * takes from its feed to a subscriber.
 */
import { Effect } from "effect"
import * as Sandbox from "../sandbox/Sandbox.ts"
import type { Mail } from "../sandbox/World.ts"
import { copy, prepareMonths } from "./Copy.ts"
import * as DaemonProcess from "./DaemonProcess.ts"
import { Ground, type Machine } from "./Ground.ts"
import { type Latency, measureLatency, prescribedPollMillis, speed } from "./Latency.ts"
import { hearAndStore, queueIsEmpty } from "./LivePath.ts"
import { seed, takeMails } from "./Mails.ts"
import { median } from "./Quantiles.ts"

export interface Plan {
  /** Killmails of one measurement of throughput. */
  readonly killmails: number
  /** Measurements, each of COPY and then of the live path. */
  readonly pairs: number
  /** Seconds of killmails, ten a second, for each of two measurements of latency. */
  readonly seconds: number
}

/** Told what comes next, as it takes minutes. */
export type Tell = (step: string) => Effect.Effect<void>

export interface Throughput {
  readonly perSecond: number
  /** Microseconds of CPU a killmail; null where nothing tells. */
  readonly nodeMicros: number | null
  readonly postgresMicros: number | null
}

export interface IngestReport {
  readonly benchmark: "ingest"
  readonly machine: Machine
  readonly plan: Plan
  readonly pairs: ReadonlyArray<{ readonly copy: Throughput; readonly live: Throughput; readonly ratio: number }>
  /** Median of the pairs. */
  readonly ratio: number
  readonly latency: ReadonlyArray<Latency>
  /** What R2Z2 wants a client to wait at its head, in milliseconds, and by what it is divided here. */
  readonly poll: { readonly prescribedMillis: number; readonly speed: number }
}

/** Killmails before it counts, at most: code gets compiled, caches fill. */
const mostWarmUp = 2000

const measureThroughput = Effect.fnUntraced(function*({ killmails, pairs }: Plan, tell: Tell) {
  const ground = yield* Ground
  const sandbox = yield* Sandbox.start({ port: 0, speed: 1000, seed, faults: 0, world: "clock" })
  const daemon = yield* DaemonProcess.start(ground, "jobs", { ...sandbox.environment, KILLMAILD_FEEDS: "" })

  const cpu = Effect.gen(function*() {
    const { system, user } = process.cpuUsage()
    return { here: (user + system) / 1000, daemon: daemon.cpu(), postgres: yield* ground.postgresCpu }
  })

  const measure = Effect.fnUntraced(function*<E, R>(
    count: number,
    work: (mails: ReadonlyArray<Mail>) => Effect.Effect<void, E, R>
  ) {
    const mails = takeMails(count)
    yield* prepareMonths(mails)
    yield* ground.settle
    const before = yield* cpu
    const began = performance.now()
    yield* work(mails)
    const seconds = (performance.now() - began) / 1000
    yield* queueIsEmpty
    const after = yield* cpu
    const micros = (from: number | undefined, to: number | undefined) =>
      from === undefined || to === undefined ? null : Math.round((to - from) * 1000 / count)
    return {
      perSecond: Math.round(count / seconds),
      nodeMicros: before.daemon === undefined || after.daemon === undefined
        ? null
        : micros(before.here + before.daemon, after.here + after.daemon),
      postgresMicros: micros(before.postgres, after.postgres)
    } satisfies Throughput
  })

  return yield* daemon.during(Effect.gen(function*() {
    yield* tell("a daemon learns what things are and cost")
    yield* DaemonProcess.until("it has neither static data nor prices", DaemonProcess.isPrepared)
    // Or it would learn the names of all these people meanwhile, a thousand times as fast as ESI lets anybody.
    sandbox.tranquility(true)
    const warmUp = Math.min(mostWarmUp, killmails)
    yield* measure(warmUp, copy)
    yield* measure(warmUp, hearAndStore)
    return yield* Effect.forEach(
      Array.from({ length: pairs }),
      (_, index) =>
        Effect.gen(function*() {
          yield* tell(`throughput, ${index + 1} of ${pairs}`)
          const byCopy = yield* measure(killmails, copy)
          const live = yield* measure(killmails, hearAndStore)
          return { copy: byCopy, live, ratio: live.perSecond / byCopy.perSecond }
        })
    )
  }))
}, Effect.scoped)

export const ingest = Effect.fnUntraced(function*(plan: Plan, tell: Tell) {
  const { machine } = yield* Ground
  const pairs = yield* measureThroughput(plan, tell)
  yield* tell("latency, idle and with a backfill running")
  const latency = yield* measureLatency(plan.seconds)
  return {
    benchmark: "ingest",
    machine,
    plan,
    pairs,
    ratio: median(pairs.map(({ ratio }) => ratio)),
    latency,
    poll: { prescribedMillis: prescribedPollMillis, speed }
  } satisfies IngestReport
})
