/** `killmaild benchmark queries`: how soon the API answers over a long history, and over one four times as long. */
import { Effect, Option, Redacted } from "effect"
import { Command, Flag } from "effect/cli"
import type { Quantiles } from "../benchmarks/Quantiles.ts"
import type { QueriesReport } from "../benchmarks/Queries.ts"
import { count, machineLine, positive, told } from "./BenchmarkReport.ts"
import { json, print, table } from "./Output.ts"

const flags = {
  killmails: count("killmails", 1_000_000, "Killmails of the smaller history; the larger has four times as many"),
  months: count("months", 230, "Months that they are spread over, up to the last one"),
  requests: count("requests", 300, "Requests of each kind, to each of the two"),
  keep: Flag.String("keep").pipe(
    Flag.withDescription("A directory that keeps the histories, so that they need not be made anew"),
    Flag.optional
  ),
  database: Flag.String("database").pipe(
    Flag.withDescription("URL of a server on which the benchmark may make databases, which stay; else it runs its own"),
    Flag.optional
  ),
  json
}

const cells = ({ p50, p99 }: Quantiles) => [p50, p99].map((millis) => `${millis.toFixed(1)} ms`)

const textOf = ({ answers, bytesPerKillmail, generatedSeconds, machine, plan }: QueriesReport): string => {
  const [small, large] = [plan.killmails, 4 * plan.killmails]
  const made = generatedSeconds.map((seconds) => seconds === null ? "there already" : `made in ${seconds} s`)
  return `${machineLine(machine)}

${small} killmails (${made[0]}) and ${large} (${
    made[1]
  }), over ${plan.months} months; ${bytesPerKillmail} bytes a killmail with all indexes.
${plan.requests} requests of each kind, one after another over HTTP, in turns to a daemon on each. Milliseconds from the request to
the last byte of the answer; ratio is that of the p99.

${
    table(
      ["newest 50 of", `p50 of ${small}`, "p99", `p50 of ${large}`, "p99", "ratio"],
      answers.map(({ large, question, ratio, small }) => [
        question,
        ...cells(small),
        ...cells(large),
        ratio.toFixed(2)
      ])
    )
  }`
}

export const benchmarkQueries = Command.make(
  "queries",
  flags,
  ({ database, json, keep, ...plan }) =>
    Effect.gen(function*() {
      yield* positive("queries", plan)
      // Loaded here, as no other command has a use for it.
      const { queries } = yield* Effect.promise(() => import("../benchmarks/Queries.ts"))
      const options = { serverUrl: Option.map(database, Redacted.make), keep }
      const report = yield* queries(plan, options, told("queries", json))
      yield* print(json, report, textOf(report))
    })
).pipe(
  Command.withDescription("Ask the API what people ask most, over a long history and one four times as long")
)
