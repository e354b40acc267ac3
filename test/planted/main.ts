/** `npm run planted-bugs`: plants one bug of the list after another, and says which test caught it. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as EmbeddedPostgres from "../../src/postgres/EmbeddedPostgres.ts"
import { settings } from "../support/globalSetup.ts"
import { type Bug, bugs as all } from "./bugs.ts"
import { checkoutWith, Unfit } from "./Checkout.ts"
import { compile, type Report, runTests } from "./Programs.ts"

/** Trials at a time: more than cores, as those that hang only wait. */
const concurrency = 3

interface Trial {
  readonly bug: Bug
  readonly verdict: "caught" | "NOT CAUGHT" | "broken"
  /** The test that caught it, or what went wrong. */
  readonly by: string
  readonly seconds: number
}

/** A program that cannot run is no bug that was caught: nor, perhaps, is one whose SQL Postgres does not understand. */
const isVerdict = (message: string): boolean =>
  !/^(TypeError|ReferenceError|SyntaxError|effect\/sql\/SqlError)\b/.test(message)

const judge = ({ failed, passed, trouble }: Report): Pick<Trial, "verdict" | "by"> => {
  const caught = failed.find(({ message }) => isVerdict(message))
  if (caught !== undefined) return { verdict: "caught", by: caught.test }
  if (trouble !== undefined) return { verdict: "broken", by: trouble }
  if (failed.length > 0) return { verdict: "broken", by: `${failed[0]!.test}: ${failed[0]!.message.slice(0, 500)}` }
  return passed.length > 0
    ? { verdict: "NOT CAUGHT", by: `${passed.join(" and ")} passed` }
    : { verdict: "broken", by: "no such test" }
}

const secondsSince = (started: number): number => (performance.now() - started) / 1000

/** A server for all of them, so that a test that is killed leaves nothing behind. */
const postgres = Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-planted-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const { url } = yield* EmbeddedPostgres.start({ directory: join(directory, "postgres"), settings })
  return url
})

/** What the compiler finds is no bug that a test must catch. Those of different files are compiled together. */
const compileAll = Effect.fnUntraced(function*(bugs: ReadonlyArray<Bug>) {
  const byFile = [...Map.groupBy(bugs, ({ file }) => file).values()]
  const turns = Math.max(...byFile.map((ofFile) => ofFile.length))
  for (let turn = 0; turn < turns; turn++) {
    const together = byFile.flatMap((ofFile) => ofFile.slice(turn, turn + 1))
    const complaint = yield* Effect.scoped(Effect.flatMap(checkoutWith(together), compile))
    if (complaint !== undefined) {
      return yield* new Unfit({ message: `A planted bug does not compile, so it is none:\n${complaint}` })
    }
  }
})

/** Without a bug all of the tests must pass. */
const proveGreen = Effect.fnUntraced(function*(bugs: ReadonlyArray<Bug>, databaseUrl: string) {
  const copy = yield* checkoutWith([])
  const titles = Map.groupBy(bugs, ({ caughtBy: [file] }) => file)
  yield* Effect.forEach([...titles], ([file, bugs]) =>
    Effect.gen(function*() {
      const report = yield* runTests(copy, file, bugs.map(({ caughtBy: [, test] }) => test), databaseUrl)
      if (report.failed.length > 0 || report.trouble !== undefined) {
        const [first] = report.failed
        const why = first === undefined ? report.trouble : `${first.test}: ${first.message}`
        return yield* new Unfit({ message: `${file} is not green without any bug: ${why}` })
      }
    }), { concurrency, discard: true })
}, Effect.scoped)

const tryBug = Effect.fnUntraced(function*(bug: Bug, databaseUrl: string) {
  const started = performance.now()
  const copy = yield* checkoutWith([bug])
  const [file, test] = bug.caughtBy
  const report = yield* runTests(copy, file, [test], databaseUrl)
  return { bug, ...judge(report), seconds: secondsSince(started) } satisfies Trial
}, Effect.scoped)

const widthOf = (texts: ReadonlyArray<string>) => Math.max(...texts.map((text) => text.length))
const widths = {
  name: widthOf(all.map(({ name }) => name)),
  file: widthOf(all.map(({ file }) => file)),
  breaks: widthOf(all.map(({ breaks }) => breaks))
}

const row = ({ bug: { breaks, file, name }, by, seconds, verdict }: Trial): string =>
  [
    name.padEnd(widths.name),
    file.padEnd(widths.file),
    breaks.padEnd(widths.breaks),
    `${seconds.toFixed(1)} s`.padStart(7),
    verdict === "caught" ? by : `${verdict}: ${by}`
  ].join("  ")

const options = {
  only: Flag.String("only").pipe(Flag.withDescription("The name of one bug"), Flag.optional),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON, for programs"), Flag.withDefault(false))
}

const plantedBugs = Command.make("planted-bugs", options, ({ json, only }) =>
  Effect.gen(function*() {
    const bugs = all.filter(({ name }) => Option.getOrElse(only, () => name) === name)
    if (bugs.length === 0) {
      return yield* new Unfit({ message: "--only: there is no such bug, wants a name of test/planted/bugs.ts." })
    }
    const say = json ? () => Effect.void : Console.log
    const databaseUrl = yield* postgres
    yield* compileAll(bugs)
    yield* proveGreen(bugs, databaseUrl)
    const trials = yield* Effect.forEach(
      bugs,
      (bug) => Effect.tap(tryBug(bug, databaseUrl), (trial) => say(row(trial))),
      { concurrency }
    )
    if (json) {
      yield* Console.log(
        JSON.stringify(trials.map(({ bug: { breaks, file, name }, ...trial }) => ({ name, file, breaks, ...trial })))
      )
    }
    const caught = trials.filter(({ verdict }) => verdict === "caught").length
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
