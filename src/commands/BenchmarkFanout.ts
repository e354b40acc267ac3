/** `killmaild benchmark fanout`: how many clients can listen, and what each of them costs. */
import { Effect, Option, Redacted } from "effect"
import { Command } from "effect/cli"
import type { Crowd, FanoutReport, Rate } from "../benchmarks/Fanout.ts"
import { Ground } from "../benchmarks/Ground.ts"
import { count, database, latencyRow, machineLine, positive, told } from "./BenchmarkReport.ts"
import { json, print, table } from "./Output.ts"

const flags = {
  few: count("few", 1000, "Clients of the smaller measurement"),
  many: count("many", 10_000, "Clients of the larger one"),
  deliveries: count("deliveries", 200_000, "Deliveries of one measurement, about, where all want everything"),
  pairs: count("pairs", 3, "Measurements, each of the bare loop and of a daemon"),
  seconds: count("seconds", 20, "Seconds of one measurement of latency"),
  database,
  json
}

const kilobytes = (value: number | null) => value === null ? "unknown" : `${value} kB`
const cells = ({ micros, perSecond }: Rate) => [
  `${perSecond}/s`,
  micros === null ? "unknown" : `${micros.toFixed(1)} µs`
]

const ratesOf = ({ clients, settings }: Crowd) =>
  settings.flatMap(({ cpuRatio, pairs, ratio, wanted }) =>
    pairs.map(({ bare, daemon }, index) => [
      `${clients}, ${wanted}`,
      ...cells(daemon),
      ...cells(bare),
      ...(index > 0 ? [] : [ratio.toFixed(2), cpuRatio === null ? "unknown" : cpuRatio.toFixed(2)])
    ])
  )

const textOf = ({ crowds, machine, plan }: FanoutReport): string =>
  `${machineLine(machine)}

Deliveries of killmails to clients of /ws: all want everything, or each has a filter of its own. Beside the daemon, in turns, a
bare loop writes a frame of the same size to as many sockets of ws. CPU is that of the server, a delivery; the ratios are
medians, of deliveries a second and of deliveries for the same CPU.

${
    table(
      ["clients", "daemon", "CPU", "bare loop", "CPU", "ratio", "by CPU"],
      crowds.flatMap(ratesOf)
    )
  }

Latency, from the call that stores a killmail to each client's frame, for ${plan.seconds} s:

${
    table(
      ["clients", "p50", "p95", "p99", "max"],
      crowds.map(({ clients, latency, rate }) => latencyRow(`${clients}, ${rate} killmails a second`, latency))
    )
  }

Memory that a client costs the daemon, and the bare loop:
${
    crowds.map(({ bareKilobytesPerClient, clients, kilobytesPerClient }) =>
      `${clients}: ${kilobytes(kilobytesPerClient)}, ${kilobytes(bareKilobytesPerClient)}`
    ).join("\n")
  }`

export const benchmarkFanout = Command.make(
  "fanout",
  flags,
  ({ database, json, ...plan }) =>
    Effect.scoped(Effect.gen(function*() {
      yield* positive("fanout", plan)
      // Loaded here, as no other command has a use for it.
      const { fanout } = yield* Effect.promise(() => import("../benchmarks/Fanout.ts"))
      const report = yield* fanout(plan, told("fanout", json)).pipe(
        Effect.provide(Ground.layer(Option.map(database, Redacted.make)))
      )
      yield* print(json, report, textOf(report))
    }))
).pipe(Command.withDescription("Deliver killmails to thousands of clients, beside a bare loop over as many sockets"))
