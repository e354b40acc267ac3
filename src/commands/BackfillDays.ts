/**
 * Days of history as jobs, and how far they are: they go into the queue, and this process takes its part in them, beside a
 * daemon's or alone; so it may be stopped and begun again at any time, and nothing is done twice.
 */
import { Effect, Layer, Schedule } from "effect"
import type { SqlError } from "effect/sql"
import { DatabaseUrl } from "../Daemon.ts"
import type { Range } from "../domain/Days.ts"
import { ImportDay } from "../history/ImportDay.ts"
import { mostThreads } from "../history/Importer.ts"
import * as Jobs from "../Jobs.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import * as Lives from "../jobs/Lives.ts"
import { isPassing } from "../store/Database.ts"
import { Imports, type ImportState } from "../store/Imports.ts"
import { print } from "./Output.ts"
import { type Advance, makeProgress } from "./Progress.ts"
import { refuse } from "./Refusal.ts"

/** Milliseconds between two looks at how far the jobs are: longer where there are many to count. */
export const lookMillis = (left: number): number => Math.max(250, left / 10)

export type Day = typeof ImportDay.payload.Type

/** Days to bring in. */
export interface Due {
  readonly source: Day["source"]
  readonly range: Range
  readonly days: ReadonlyArray<Day>
  /** Days that are here as they are there. */
  readonly unchanged: number
  /** A sentence for each file that is of none of these days. */
  readonly unusable: ReadonlyArray<string>
}

export interface BackfillOutcome {
  /** Days that were read, were read before, or, with files that are of no use, could not be read. */
  readonly imported: number
  readonly unchanged: number
  readonly failed: number
  /** Read, and of these new; for how many ESI was asked, in vain for those that are refused; and what holds no killmail. */
  readonly killmails: number
  readonly stored: number
  readonly asked: number
  readonly refused: number
  readonly seconds: number
  /** A sentence for each that failed. */
  readonly failures: ReadonlyArray<string>
}

/** Ends when all days were tried, and ESI was asked for all that it is needed for. */
export const backfillDays = Effect.fnUntraced(function*(due: Due, silent: boolean) {
  const { range, source, unusable } = due
  const beginning = performance.now()
  yield* Effect.forEach(unusable, (sentence) => Effect.logWarning(sentence))
  const queue = yield* JobQueue
  const imports = yield* Imports
  const asksEsi = source !== "everef"
  const states = imports.states(source, range.first, range.last)
  const before = new Map((yield* states).map(({ began, day }) => [day, began]))
  const days = due.days.toSorted((a, b) => a.day < b.day ? -1 : 1)
  const keys = days.map((day) => ImportDay.key(day)!)
  yield* queue.addAll(ImportDay, days, { atOnce: mostThreads })
  yield* takePart(asksEsi)
  const report = yield* makeProgress(silent)

  const look = Effect.gen(function*() {
    const waiting = (yield* queue.present(keys)).size
    const begun = (yield* states).filter(({ began, day }) => began !== before.get(day))
    const left = asksEsi && waiting === 0 ? yield* imports.asked(source) : 0
    return { waiting, begun, left }
  })

  let asked = 0
  for (;;) {
    const { begun, left, waiting } = yield* throughRestarts(look)
    asked = Math.max(asked, left)
    yield* report(
      waiting > 0 || asked === 0
        ? advanceOf(keys.length - waiting, keys.length, begun)
        : { what: "ESI", done: asked - left, total: asked, unit: "killmails" }
    )
    if (waiting === 0 && left === 0) {
      const failed = (yield* queue.failures(ImportDay.name, keys)).map(({ error }) => error)
      const since = begun.map(({ began }) => began).toSorted()[0]
      const refusals = asksEsi && since !== undefined ? yield* imports.refusals(source, since) : []
      const read = sumOf(begun.filter(({ ended }) => ended))
      return {
        ...read,
        unchanged: due.unchanged + keys.length - failed.length - read.imported,
        failed: failed.length + unusable.length,
        refused: read.refused + refusals.length,
        seconds: Math.round((performance.now() - beginning) / 100) / 10,
        failures: [...failed, ...unusable]
      } satisfies BackfillOutcome as BackfillOutcome
    }
    yield* Effect.sleep(lookMillis(left))
  }
})

/** While Postgres starts again, which the jobs survive, the looks at them go on, too. */
export const throughRestarts = <A, R>(look: Effect.Effect<A, SqlError.SqlError, R>) =>
  Effect.retry(look, {
    while: isPassing,
    schedule: Schedule.spaced("1 second").pipe(Schedule.upTo({ duration: "2 minutes" }))
  })

const sumOf = (read: ReadonlyArray<ImportState>) => {
  const sum = (pick: (state: ImportState) => number) => read.reduce((total, state) => total + pick(state), 0)
  return {
    imported: sum(({ error }) => error === null ? 1 : 0),
    killmails: sum(({ killmails }) => killmails),
    stored: sum(({ stored }) => stored),
    asked: sum(({ asked }) => asked),
    refused: sum(({ refused }) => refused)
  }
}

/** How many killmails there will be is guessed from the days that were read; those under way count in part. */
const advanceOf = (ended: number, total: number, begun: ReadonlyArray<ImportState>): Advance => {
  const parts = begun.map(({ bytes, bytes_read, ended }) => ended ? 0 : bytes_read / Math.max(1, bytes))
  const done = ended + parts.reduce((sum, part) => sum + part, 0)
  const killmails = begun.reduce((sum, state) => sum + state.killmails, 0)
  return killmails === 0 || done === 0
    ? { what: "history", done, total, unit: "days" }
    : { what: "killmails", done: killmails, total: Math.round(killmails * total / done), unit: "killmails" }
}

/** Runs such jobs in this process until the scope closes, at its own pace. */
export const takePart = Effect.fnUntraced(function*(asksEsi: boolean) {
  const url = yield* DatabaseUrl
  yield* Layer.build(Lives.layer(Lives.inThisProcess((life) => Jobs.importsLayer(url, life, { asksEsi }))))
})

/** Fails with a sentence unless all was done. */
export const tell = Effect.fnUntraced(function*(command: string, asJson: boolean, outcome: BackfillOutcome) {
  const { asked, failures, imported, killmails, refused, seconds, stored, unchanged } = outcome
  yield* print(
    asJson,
    outcome,
    `${imported} days were read in ${seconds} s, with ${killmails} killmails, ${stored} of them new; ` +
      (asked === 0 ? "" : `ESI was asked for ${asked}; `) + `${unchanged} days were here already.`
  )
  const [first, ...others] = failures
  if (first !== undefined) {
    const more = others.length === 0
      ? ""
      : ` ${others.length} others could not be read either: see the log and the table dead_letters.`
    return yield* refuse(`${command}: ${first}${more}`)
  }
  if (refused > 0) {
    return yield* refuse(
      `${command}: ${refused} entries are no killmail that fits; see the tables imports and dead_letters.`
    )
  }
})
