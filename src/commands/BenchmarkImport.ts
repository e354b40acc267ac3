/** `killmaild benchmark import`: how fast history comes in on this machine, and what it takes. */
import { Effect, Option, Redacted } from "effect"
import { Command, Flag } from "effect/cli"
import { Ground } from "../benchmarks/Ground.ts"
import type { ImportReport } from "../benchmarks/Import.ts"
import { count, database, machineLine, positive, throughputRow, told } from "./BenchmarkReport.ts"
import { json, print, table } from "./Output.ts"

const flags = {
  days: count("days", 10, "Days of archives to make up"),
  killmails: count("killmails", 5000, "Killmails of each day"),
  million: Flag.Boolean("million").pipe(
    Flag.withDescription("50 days of 20,000 killmails: how the rate changes as the tables grow"),
    Flag.withDefault(false)
  ),
  path: Flag.String("path").pipe(
    Flag.withDescription("A directory of EVE Ref's day archives, instead of made-up ones"),
    Flag.optional
  ),
  database,
  json
}

const textOf = (report: ImportReport, loss: number): string => {
  const { copies, disk, imported, killmails, machine, peakMegabytes, ratio, tenths } = report
  const total = disk.reduce((sum, { indexes, rows }) => sum + rows + indexes, 0)
  return `${machineLine(machine)}

${killmails} killmails, from packed archives to rows that are committed and indexed. COPY writes such killmails, which are read
already, into tables with all indexes, and nothing else. CPU is that of all processes, a killmail.

${
    table(
      ["", "killmails", "CPU of Node", "CPU of Postgres"],
      [
        throughputRow("import", imported),
        ...copies.map((copy) => throughputRow("COPY", copy))
      ]
    )
  }

Import as a share of COPY: ${ratio.toFixed(2)}
Peak memory of all processes but Postgres: ${peakMegabytes === null ? "unknown" : `${peakMegabytes} MB`}
Killmails a second in each tenth: ${tenths.join(" ")}; the last three are ${
    (100 * loss).toFixed(0)
  } % slower than the first

${
    table(
      ["bytes a killmail", "rows", "indexes"],
      [
        ...disk.map(({ indexes, rows, table }) => [table, String(rows), String(indexes)]),
        ["together", "", String(total)]
      ]
    )
  }`
}

export const benchmarkImport = Command.make(
  "import",
  flags,
  ({ database, json, million, path, ...wanted }) =>
    Effect.scoped(Effect.gen(function*() {
      const plan = million ? { days: 50, killmails: 20_000 } : wanted
      yield* positive("import", plan)
      // Loaded here, as no other command has a use for it.
      const { importHistory, lossOf } = yield* Effect.promise(() => import("../benchmarks/Import.ts"))
      const report = yield* importHistory({ ...plan, path: Option.getOrUndefined(path) }, told("import", json)).pipe(
        Effect.provide(Ground.layer(Option.map(database, Redacted.make)))
      )
      yield* print(json, report, textOf(report, lossOf(report.tenths)))
    }))
).pipe(
  Command.withDescription("Import day archives beside a COPY of the same killmails; CPU, memory and disk that it takes")
)
