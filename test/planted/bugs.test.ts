import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { bugs } from "./bugs.ts"
import { planted, root } from "./Checkout.ts"

const read = (path: string) => readFileSync(join(root, path), "utf8")

describe("the list of planted bugs", () => {
  it("fits the code: whatever a bug changes stands there once, and its test exists", () => {
    for (const bug of bugs) {
      const [file, test] = bug.caughtBy
      assert.notStrictEqual(planted(bug, read(bug.file)), read(bug.file), bug.name)
      assert.isTrue(read(file).includes(test), `${bug.name}: ${file} has no test "${test}"`)
    }
  })

  it("has enough bugs, each with a name of its own", () => {
    assert.isAtLeast(bugs.length, 60)
    assert.strictEqual(new Set(bugs.map(({ name }) => name)).size, bugs.length)
  })
})
