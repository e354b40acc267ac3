/** Copies of what git tracks, to plant bugs in. */
import { Effect, Schema } from "effect"
import { execFileSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Bug } from "./bugs.ts"

export const root = join(import.meta.dirname, "../..")

/** The list of bugs, or the checkout, is not fit for a trial. */
export class Unfit extends Schema.TaggedError<Unfit>()("Unfit", { message: Schema.String }) {}

/** The text of the bug's file with the bug in it. Throws `Unfit` when the list does not fit the code any more. */
export const planted = ({ changes, file, name }: Bug, text: string): string =>
  changes.reduce((text, [find, replace]) => {
    const times = text.split(find).length - 1
    if (times !== 1) {
      throw new Unfit({
        message:
          `test/planted/bugs.ts is stale: "${name}" wants this once in ${file}, and finds it ${times} times:\n${find}`
      })
    }
    return text.replace(find, () => replace)
  }, text)

/** Gone when the scope closes. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-planted-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
)

/** The checkout as it is, with these bugs in it, of which no two share a file; gone when the scope closes. */
export const checkoutWith = Effect.fnUntraced(function*(bugs: ReadonlyArray<Bug>) {
  const copy = yield* temporaryDirectory
  const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" }).split("\0")
  for (const path of tracked) {
    if (path !== "" && existsSync(join(root, path))) cpSync(join(root, path), join(copy, path))
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
  // For whatever is run in it, which may be killed.
  mkdirSync(join(copy, "tmp"))
  for (const bug of bugs) {
    const path = join(copy, bug.file)
    yield* Effect.try({
      try: () => writeFileSync(path, planted(bug, readFileSync(path, "utf8"))),
      catch: (error) => error instanceof Unfit ? error : new Unfit({ message: String(error) })
    })
  }
  return copy
})
