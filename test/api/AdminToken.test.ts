import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { AdminToken } from "../../src/api/AdminToken.ts"
import { Settings } from "../../src/Settings.ts"

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-token-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const inDirectory = (directory: string) =>
  AdminToken.layer.pipe(Layer.provide(Settings.layerFrom({ KILLMAILD_DATA_DIR: directory })))

describe("the admin token", () => {
  it.effect("is generated once, for its owner's eyes, and nothing else matches", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      for (let start = 0; start < 2; start++) {
        const token = yield* AdminToken.pipe(Effect.provide(inDirectory(directory)))
        const written = readFileSync(join(directory, "admin-token"), "utf8").trim()
        assert.isTrue(token.matches(written))
        assert.isFalse(token.matches(""))
        assert.isFalse(token.matches(`${written}x`))
      }
      assert.strictEqual(statSync(join(directory, "admin-token")).mode & 0o777, 0o600)
    }))

  it.effect("is refused when its file is empty, rather than letting in whoever shows none", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      writeFileSync(join(directory, "admin-token"), "\n")
      const error = yield* Effect.flip(AdminToken.pipe(Effect.provide(inDirectory(directory))))
      assert.match(error.message, /admin-token is empty/)
    }))
})
