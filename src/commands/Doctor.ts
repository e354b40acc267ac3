/** `killmaild doctor`: whether everything is there that the daemon depends on, and what to do about what is not. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { fromEnvironment } from "./Environment.ts"
import { examineDatabase } from "./ExamineDatabase.ts"
import { examineMachine } from "./ExamineMachine.ts"
import type { Finding } from "./Finding.ts"
import { json, print, table } from "./Output.ts"
import { refuse } from "./Refusal.ts"

export const doctor = Command.make("doctor", { json }, (input) =>
  Effect.gen(function*() {
    const [machine, database] = yield* Effect.all([examineMachine, examineDatabase], { concurrency: 2 })
    // Malformed ones ended the program before this.
    const findings: ReadonlyArray<Finding> = [
      { name: "settings", ok: true, finding: "all can be read; `settings` prints them" },
      ...machine,
      ...database
    ]
    const faults = findings.filter(({ ok }) => !ok)
    yield* print(input.json, { ok: faults.length === 0, findings }, textOf(findings))
    if (faults.length > 0) {
      return yield* refuse(`doctor: found ${faults.length === 1 ? "a fault" : `${faults.length} faults`}.`)
    }
  })).pipe(
    Command.withDescription("Check everything the daemon depends on; exit status 1 on any fault"),
    Command.provide(fromEnvironment)
  )

/** The findings as a table, and below it what to do, once for all that want the same. */
const textOf = (findings: ReadonlyArray<Finding>): string => {
  const rows = findings.map(({ finding, name, ok }) => [name, ok ? "ok" : "FAULT", finding])
  const hints = Map.groupBy(findings.filter(({ ok }) => !ok), ({ hint }) => hint)
  const advice = [...hints].map(([hint, faults]) => `${faults.map(({ name }) => name).join(", ")}: ${hint}.`)
  return [table(["check", "", "finding"], rows), ...(advice.length === 0 ? [] : [advice.join("\n")])].join("\n\n")
}
