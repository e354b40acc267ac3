/** `killmaild check-data`: whether what is stored is whole and true, and how to repair what is not. */
import { Effect, Layer, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { Appraiser } from "../intake/Appraiser.ts"
import { type Check, checkData, type Report } from "../intake/CheckData.ts"
import { Prices } from "../prices/Prices.ts"
import { StaticData } from "../static-data/StaticData.ts"
import { DataChecks } from "../store/DataChecks.ts"
import { readDay } from "./Day.ts"
import { stores } from "./OnDatabase.ts"
import { json, print, table } from "./Output.ts"
import { makeProgress } from "./Progress.ts"
import { refuse } from "./Refusal.ts"

const flags = {
  day: Flag.String("day").pipe(
    Flag.withDescription("Checks all killmails of one day, YYYY-MM-DD; without it a sample of everything"),
    Flag.optional
  ),
  json
}

const services = Appraiser.layer.pipe(
  Layer.provide(Prices.layer),
  Layer.provideMerge(StaticData.layer),
  Layer.provideMerge(DataChecks.layer),
  Layer.provideMerge(stores)
)

export const checkDataCommand = Command.make("check-data", flags, (input) =>
  Effect.gen(function*() {
    const day = Option.isNone(input.day) ? undefined : yield* readDay("check-data", "day", input.day.value)
    const report = yield* Effect.scoped(Effect.gen(function*() {
      const progress = yield* makeProgress(input.json)
      return yield* checkData(day, (done, total) => progress({ what: "check-data", done, total, unit: "killmails" }))
        .pipe(Effect.provide(services))
    }))
    yield* print(input.json, report, textOf(report))
    const faults = report.checks.filter(({ ok }) => !ok).length
    if (faults > 0) return yield* refuse(`check-data: found ${faults === 1 ? "a fault" : `${faults} faults`}.`)
  })).pipe(
    Command.withDescription("Check the integrity, values and age of what is stored; exit status 1 on any fault")
  )

const textOf = ({ agreement, causes, checks, day, killmails, stored }: Report): string =>
  [
    `Looked at ${killmails} killmails${day === null ? `, of about ${stored}` : ` of ${day}`}.`,
    table(["check", "", "finding"], checks.map(({ finding, name, ok }) => [name, ok ? "ok" : "FAULT", finding])),
    ...checks.filter(({ ok }) => !ok).map(repairOf),
    table(
      ["as zKillboard", "agree", "differ", "unpriced"],
      agreement.map(({ agree, differ, field, unpriced }) => [field, ...[agree, differ, unpriced].map(String)])
    ),
    ...(causes.length === 0 ? [] : [
      table(
        ["differs", "killmails", "why", "first", "ours", "theirs"],
        causes.map(({ cause, example: { killmail_id, ours, theirs }, field, killmails }) => [
          field,
          String(killmails),
          cause,
          String(killmail_id),
          ours,
          theirs
        ])
      )
    ])
  ].join("\n\n")

const repairOf = ({ examples, hint, name }: Check): string =>
  `${name}: ${hint}.${examples.length === 0 ? "" : `\n  such as ${examples.join(", ")}`}`
