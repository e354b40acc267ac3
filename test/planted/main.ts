/** `npm run planted-bugs`: plants one bug of the list after another, and says which test caught it. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { join } from "node:path"
import * as EmbeddedPostgres from "../../src/postgres/EmbeddedPostgres.ts"
import { settings } from "../support/globalSetup.ts"
import { bugs as all } from "./bugs.ts"
import { temporaryDirectory, Unfit } from "./Checkout.ts"
import { compileAll, concurrency, proveGreen, type Trial, tryBug } from "./Trials.ts"

const options = {
  only: Flag.String("only").pipe(Flag.withDescription("The name of one bug"), Flag.optional),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON, for programs"), Flag.withDefault(false))
}

const headings = { name: "bug", file: "file", breaks: "what it breaks" }
const widthOf = (column: keyof typeof headings) =>
  Math.max(headings[column].length, ...all.map((bug) => bug[column].length))
const widths = { name: widthOf("name"), file: widthOf("file"), breaks: widthOf("breaks") }

const rowOf = ({ breaks, file, name }: typeof headings, seconds: string, by: string): string =>
  [name.padEnd(widths.name), file.padEnd(widths.file), breaks.padEnd(widths.breaks), seconds.padStart(7), by].join("  ")

const row = ({ bug, by, seconds, verdict }: Trial): string =>
  rowOf(bug, seconds.toFixed(1), verdict === "caught" ? by : `${verdict}: ${by}`)

/** One server for all of them, so that a test that is killed leaves nothing behind. */
const startPostgres = Effect.gen(function*() {
  const directory = join(yield* temporaryDirectory, "postgres")
  return (yield* EmbeddedPostgres.start({ directory, settings })).url
})

const plantedBugs = Command.make("planted-bugs", options, ({ json, only }) =>
  Effect.gen(function*() {
    const bugs = all.filter(({ name }) => Option.getOrElse(only, () => name) === name)
    if (bugs.length === 0) {
      return yield* new Unfit({ message: "--only: wants the name of a bug in test/planted/bugs.ts." })
    }
    const say = json ? () => Effect.void : Console.log
    const databaseUrl = yield* startPostgres
    yield* compileAll(bugs)
    yield* proveGreen(bugs, databaseUrl)
    yield* say(rowOf(headings, "seconds", "caught by"))
    const trials = yield* Effect.forEach(
      bugs,
      (bug) => Effect.tap(tryBug(bug, databaseUrl), (trial) => say(row(trial))),
      { concurrency }
    )
    const caught = trials.filter(({ verdict }) => verdict === "caught").length
    if (json) {
      const rows = trials.map(({ bug: { breaks, file, name }, ...trial }) => ({ name, file, breaks, ...trial }))
      yield* Console.log(JSON.stringify(rows))
    }
    yield* say(`${caught} of ${bugs.length} caught`)
    if (caught < bugs.length) process.exitCode = 1
  }).pipe(
    Effect.scoped,
    Effect.catchTag("Unfit", ({ message }) => {
      process.exitCode = 1
      return Console.error(message)
    })
  ))

Command.run(plantedBugs, { version: "0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
