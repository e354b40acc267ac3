/** What is asked of the list of bugs: that each compiles, that its test passes without it, and fails with it. */
import { Effect } from "effect"
import type { Bug } from "./bugs.ts"
import { checkoutWith, Unfit } from "./Checkout.ts"
import { compile, type Report, runTests } from "./Programs.ts"

/** At a time: more than cores, as those of tests that hang only wait. */
export const concurrency = 3

export interface Trial {
  readonly bug: Bug
  readonly verdict: "caught" | "NOT CAUGHT" | "broken"
  /** The test that caught it, or what went wrong. */
  readonly by: string
  readonly seconds: number
}

/** A bug that the compiler finds needs no test. Bugs of different files are compiled together. */
export const compileAll = Effect.fnUntraced(function*(bugs: ReadonlyArray<Bug>) {
  const byFile = [...Map.groupBy(bugs, ({ file }) => file).values()]
  const most = Math.max(...byFile.map((ofFile) => ofFile.length))
  const turns = Array.from({ length: most }, (_, turn) => byFile.flatMap((ofFile) => ofFile.slice(turn, turn + 1)))
  for (const together of [[], ...turns]) {
    const complaint = yield* Effect.scoped(Effect.flatMap(checkoutWith(together), compile))
    if (complaint === undefined) continue
    const what = together.length === 0 ? "The checkout" : "A planted bug"
    return yield* new Unfit({ message: `${what} does not compile:\n${complaint}` })
  }
})

export const proveGreen = Effect.fnUntraced(function*(bugs: ReadonlyArray<Bug>, databaseUrl: string) {
  const copy = yield* checkoutWith([])
  const byFile = Map.groupBy(bugs, ({ caughtBy: [file] }) => file)
  yield* Effect.forEach(byFile, ([file, bugs]) =>
    Effect.gen(function*() {
      const titles = new Set(bugs.map(({ caughtBy: [, test] }) => test))
      const { failed, passed, trouble } = yield* runTests(copy, file, [...titles], databaseUrl)
      const why = trouble ?? failed.map(({ message, test }) => `${test}: ${firstLine(message)}`)[0]
      if (why !== undefined) return yield* new Unfit({ message: `${file} is not green without any bug: ${why}` })
      const missing = [...titles].find((title) => !passed.some((test) => test.includes(title)))
      if (missing !== undefined) return yield* new Unfit({ message: `${file} has no test "${missing}".` })
    }), { concurrency, discard: true })
}, Effect.scoped)

export const tryBug = Effect.fnUntraced(function*(bug: Bug, databaseUrl: string) {
  const started = performance.now()
  const copy = yield* checkoutWith([bug])
  const [file, test] = bug.caughtBy
  const report = yield* runTests(copy, file, [test], databaseUrl)
  return { bug, ...judge(report), seconds: (performance.now() - started) / 1000 } satisfies Trial
}, Effect.scoped)

const judge = ({ failed, passed, trouble }: Report): Pick<Trial, "verdict" | "by"> => {
  const caught = failed.find(({ message }) => !isBroken(message))
  if (caught !== undefined) return { verdict: "caught", by: caught.test }
  const [first] = failed
  if (first !== undefined) return { verdict: "broken", by: `${first.test}: ${firstLine(first.message)}` }
  return trouble === undefined
    ? { verdict: "NOT CAUGHT", by: `${passed.join(" and ")} passed` }
    : { verdict: "broken", by: trouble }
}

/** A program that cannot run has no bug that a test could catch; nor, perhaps, one whose SQL Postgres does not take. */
const isBroken = (message: string): boolean =>
  /^(TypeError|ReferenceError|SyntaxError|effect\/sql\/SqlError)\b/.test(message)

const firstLine = (text: string): string => text.split("\n", 1)[0]!.slice(0, 300)
