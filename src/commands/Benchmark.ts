/** `killmaild benchmark NAME`: what it does in a second, and what that costs, measured on this machine. */
import { Effect, Option, Redacted } from "effect"
import { Command } from "effect/cli"
import { Ground } from "../benchmarks/Ground.ts"
import type { IngestReport } from "../benchmarks/Ingest.ts"
import { benchmarkFanout } from "./BenchmarkFanout.ts"
import { benchmarkImport } from "./BenchmarkImport.ts"
import { benchmarkQueries } from "./BenchmarkQueries.ts"
import { count, database, latencyRow, machineLine, positive, throughputRow, told } from "./BenchmarkReport.ts"
import { json, print, table } from "./Output.ts"

const flags = {
  killmails: count("killmails", 15_000, "Killmails of one measurement of throughput"),
  pairs: count("pairs", 3, "Measurements of throughput, each of COPY and of the live path"),
  seconds: count("seconds", 30, "Seconds of one measurement of latency, at ten killmails each"),
  database,
  json
}

const textOf = ({ latency, machine, pairs, plan, poll, ratio }: IngestReport): string => {
  const { prescribedMillis, speed } = poll
  return `${machineLine(machine)}

Throughput: ${plan.killmails} killmails with their bodies, from this process's memory into the tables. COPY writes killmails,
attackers and items and nothing else. The live path hears, queues one job a killmail, checks, appraises, stores, numbers
and announces. CPU is that of all processes, a killmail.

${
    table(
      ["", "killmails", "CPU of Node", "CPU of Postgres"],
      pairs.flatMap(({ copy, live }) => [throughputRow("COPY", copy), throughputRow("live path", live)])
    )
  }

Live path as a share of COPY: ${pairs.map(({ ratio }) => ratio.toFixed(2)).join(", ")}; median ${ratio.toFixed(2)}

Latency: ten killmails a second for ${plan.seconds} s, through R2Z2 over HTTP, a daemon and a WebSocket. Delivery is ours: from
the last byte of the feed's answer to the subscriber's frame. Poll is the feed's: R2Z2 lets a client look for the next
file every ${prescribedMillis / 1000} s, here every ${
    prescribedMillis / speed
  } ms. Idle: nothing else to do. Backfill: archives are being imported,
thousands of old killmails wait to be asked for, and ESI's budget is spent.

${
    table(
      ["", "p50", "p95", "p99", "max"],
      latency.flatMap(({ delivery, poll, setting }) => [
        latencyRow(`${setting}, delivery`, delivery),
        latencyRow(`${setting}, poll`, poll)
      ])
    )
  }`
}

const ingestCommand = Command.make(
  "ingest",
  flags,
  ({ database, json, ...plan }) =>
    Effect.scoped(Effect.gen(function*() {
      yield* positive("ingest", plan)
      // Loaded here, as no other command has a use for it.
      const { ingest } = yield* Effect.promise(() => import("../benchmarks/Ingest.ts"))
      const report = yield* ingest(plan, told("ingest", json)).pipe(
        Effect.provide(Ground.layer(Option.map(database, Redacted.make)))
      )
      yield* print(json, report, textOf(report))
    }))
).pipe(
  Command.withDescription(
    "The live path beside COPY, its CPU, and the latency from the feed to a subscriber, idle and with a backfill running"
  )
)

export const benchmark = Command.make("benchmark").pipe(
  Command.withDescription("Measure killmaild on this machine"),
  Command.withSubcommands([ingestCommand, benchmarkImport, benchmarkQueries, benchmarkFanout])
)
