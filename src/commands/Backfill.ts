/**
 * `killmaild backfill`: history, brought in day by day. The days go into the queue as jobs, and this process takes its part in
 * them, beside a daemon's or alone; so it may be stopped and begun again at any time, and nothing is done twice.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Clock, Console, Effect, Layer, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { readdir, stat } from "node:fs/promises"
import { join, resolve } from "node:path"
import { DatabaseUrl } from "../Daemon.ts"
import { EveRefClient, type EveRefError } from "../everef/EveRefClient.ts"
import { dayOfArchive, firstDay, isWithin, type Range, yearsOf } from "../history/Days.ts"
import { ImportDay, killmailArchives } from "../history/ImportDay.ts"
import { mostThreads } from "../history/Importer.ts"
import * as Jobs from "../Jobs.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import * as Lives from "../jobs/Lives.ts"
import { Imports, type ImportState } from "../store/Imports.ts"
import { readDay } from "./Day.ts"
import { stores } from "./OnDatabase.ts"
import { json, print } from "./Output.ts"
import { type Advance, makeProgress } from "./Progress.ts"
import { refuse } from "./Refusal.ts"

const source = "everef"
/** Between two looks at how far the jobs are. */
const look = "250 millis"

type Payload = typeof ImportDay.payload.Type

const date = (name: string, meaning: string) =>
  Flag.String(name).pipe(Flag.withDescription(`${meaning}, YYYY-MM-DD`), Flag.optional)

const flags = {
  start: date("start-date", `First day; without it ${firstDay}, the first there is`),
  end: date("end-date", "Last day; without it the newest there is"),
  path: Flag.String("path").pipe(
    Flag.withDescription(
      "Reads archives (killmails-YYYY-MM-DD.tar.bz2) from a directory, or one file, and asks nobody"
    ),
    Flag.optional
  ),
  json
}

const everef = Command.make("everef", flags, (input) =>
  Effect.scoped(Effect.gen(function*() {
    const range = yield* rangeOf(input.start, input.end)
    const found = yield* Option.isSome(input.path) ? inFiles(input.path.value, range) : Effect.succeed(undefined)
    const outcome = yield* backfill(range, found, input.json).pipe(
      Effect.provide(
        EveRefClient.layer.pipe(Layer.provideMerge(stores), Layer.provideMerge(NodeHttpClient.layerUndici))
      )
    )
    return yield* tell(input.json, outcome)
  })).pipe(
    Effect.onInterrupt(() =>
      Console.error(
        "Stopped. What was read is kept, and the other days are in the queue: a daemon goes on with them, and so does the " +
          "same command."
      )
    )
  )).pipe(
    Command.withDescription("Import killmails of the past from EVE Ref's day archives: all that are not here yet")
  )

const rangeOf = Effect.fnUntraced(function*(start: Option.Option<string>, end: Option.Option<string>) {
  const today = new Date(yield* Clock.currentTimeMillis).toISOString().slice(0, 10)
  const first = yield* readDay("backfill everef", "start-date", Option.getOrElse(start, () => firstDay))
  const last = yield* readDay("backfill everef", "end-date", Option.getOrElse(end, () => today))
  if (first > last) {
    return yield* refuse(`backfill everef: --start-date ${first} is after --end-date ${last}, wants it before.`)
  }
  return { first, last } satisfies Range
})

const inFiles = (path: string, range: Range) =>
  Effect.tryPromise({
    try: async () => {
      const isDirectory = (await stat(path)).isDirectory()
      return isDirectory ? (await readdir(path, { recursive: true })).map((name) => join(path, name)) : [path]
    },
    catch: (cause) =>
      refuse(`backfill everef: ${path} cannot be read: ${cause instanceof Error ? cause.message : cause}.`)
  }).pipe(
    Effect.map((files) =>
      files.flatMap((file) => {
        const day = dayOfArchive(file)
        return day === undefined ? [] : [{ day, path: resolve(file) }]
      })
    ),
    Effect.filterOrElse(
      (archives) => archives.length > 0,
      () => Effect.fail(refuse(`backfill everef: ${path} holds no archive, wants killmails-YYYY-MM-DD.tar.bz2.`))
    ),
    Effect.map((archives) =>
      archives.filter(({ day }) => isWithin(range, day)).map(({ day, path }): Payload => ({ source, day, path }))
    )
  )

/** The days that EVE Ref has and that are not here as they are there. */
const atEveRef = Effect.fnUntraced(function*(range: Range) {
  const listed = yield* patiently(EveRefClient.use((client) => client.listing(killmailArchives, yearsOf(range))))
  const here = yield* Imports.use((imports) => imports.read(source, range.first, range.last))
  const days = [...listed].filter(([day]) => isWithin(range, day))
  const due = days.filter(([day, { mark }]) => here.get(day)?.listed !== mark)
  return {
    unchanged: days.length - due.length,
    due: due.map(([day, { mark }]): Payload => ({ source, day, listed: mark }))
  }
})

const patiently = <A, R>(question: Effect.Effect<A, EveRefError, R>) =>
  question.pipe(
    Effect.tapErrorTag("EveRefPaused", ({ waitMillis }) => Effect.sleep(waitMillis)),
    Effect.retry({ while: ({ _tag }) => _tag === "EveRefPaused" }),
    Effect.catchTag(["EveRefUnavailable", "EveRefPaused"], ({ message }) =>
      Effect.fail(refuse(`backfill everef: ${message}`)))
  )

export interface BackfillOutcome {
  /** Days whose archive was read, was read before, or could not be read. */
  readonly imported: number
  readonly unchanged: number
  readonly failed: number
  /** Read, and of these new; and members that hold none. */
  readonly killmails: number
  readonly stored: number
  readonly refused: number
  readonly seconds: number
  /** A sentence for each day that failed. */
  readonly failures: ReadonlyArray<string>
}

const backfill = Effect.fnUntraced(function*(range: Range, found: ReadonlyArray<Payload> | undefined, silent: boolean) {
  const began = performance.now()
  const queue = yield* JobQueue
  const imports = yield* Imports
  const { due, unchanged } = found === undefined ? yield* atEveRef(range) : { due: found, unchanged: 0 }
  const before = new Map(
    (yield* imports.states(source, range.first, range.last)).map((state) => [state.day, state.began])
  )
  const jobs = due.toSorted((a, b) => a.day < b.day ? -1 : 1)
  const keys = jobs.map((job) => ImportDay.key(job)!)
  yield* queue.addAll(ImportDay, jobs, { atOnce: mostThreads })
  yield* takePart
  const report = yield* makeProgress(silent)
  for (;;) {
    const waiting = yield* queue.present(keys)
    const states = yield* imports.states(source, range.first, range.last)
    const begun = states.filter(({ began, day }) => began !== before.get(day))
    yield* report(advanceOf(keys.length - waiting.size, keys.length, begun))
    if (waiting.size === 0) {
      const failures = (yield* queue.failures(ImportDay.name, keys)).map(({ error }) => error)
      const read = begun.filter(({ ended }) => ended)
      const sum = (pick: (state: ImportState) => number) => read.reduce((total, state) => total + pick(state), 0)
      return {
        imported: read.filter(({ error }) => error === null).length,
        unchanged: unchanged + keys.length - failures.length - read.filter(({ error }) => error === null).length,
        failed: failures.length,
        killmails: sum(({ killmails }) => killmails),
        stored: sum(({ stored }) => stored),
        refused: sum(({ refused }) => refused),
        seconds: Math.round((performance.now() - began) / 100) / 10,
        failures
      } satisfies BackfillOutcome as BackfillOutcome
    }
    yield* Effect.sleep(look)
  }
})

/** How many killmails there will be is guessed from the days that were read; those under way count in part. */
const advanceOf = (ended: number, total: number, begun: ReadonlyArray<ImportState>): Advance => {
  const parts = begun.map(({ bytes, bytes_read, ended }) => ended ? 0 : bytes_read / Math.max(1, bytes))
  const done = ended + parts.reduce((sum, part) => sum + part, 0)
  const killmails = begun.reduce((sum, state) => sum + state.killmails, 0)
  return killmails === 0
    ? { what: "history", done, total, unit: "days" }
    : { what: "killmails", done: killmails, total: Math.round(killmails * total / done), unit: "killmails" }
}

/** Runs such jobs in this process until the scope closes, at its own pace. */
const takePart = Effect.gen(function*() {
  const url = yield* DatabaseUrl
  yield* Layer.build(Lives.layer(Lives.inThisProcess((life) => Jobs.importsLayer(url, life))))
})

const tell = Effect.fnUntraced(function*(asJson: boolean, outcome: BackfillOutcome) {
  const { failures, imported, killmails, refused, seconds, stored, unchanged } = outcome
  yield* print(
    asJson,
    outcome,
    `${imported} days were read in ${seconds} s, with ${killmails} killmails, ${stored} of them new; ` +
      `${unchanged} days were here already.`
  )
  const [first, ...others] = failures
  if (first !== undefined) {
    const more = others.length === 0 ? "" : ` So could not ${others.length} other days (table dead_letters).`
    return yield* refuse(`backfill everef: ${first}${more}`)
  }
  if (refused > 0) {
    return yield* refuse(
      `backfill everef: ${refused} members of the archives hold no killmail that fits; see the tables imports and dead_letters.`
    )
  }
})

export const backfillCommand = Command.make("backfill").pipe(
  Command.withDescription("Bring in killmails of the past; what is here already is left alone"),
  Command.withSubcommands([everef])
)
