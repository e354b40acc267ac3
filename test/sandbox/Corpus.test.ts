import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { corpus } from "../../src/sandbox/Corpus.ts"
import { readCorpus } from "../../src/sandbox/CorpusFiles.ts"
import { start } from "../../src/sandbox/Sandbox.ts"
import { someMail } from "./Visitor.ts"

const archive = new URL("../../../shared/corpus/archives/killmails-2021-12-03.tar.bz2", import.meta.url).pathname
const isAbsent = !existsSync(archive)

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "corpus-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

const rows = (count: number) =>
  Array.from({ length: count }, (_, k) => JSON.stringify({ killmail: someMail(k).killmail, hash: someMail(k).hash }))
    .join("\n")

describe("the corpus world", () => {
  it.live("plays a folder's files by name, from the first, once a consumer comes, at four mails a second", () =>
    Effect.gen(function*() {
      const path = yield* folder
      yield* Effect.promise(() => writeFile(join(path, "b.jsonl.gz"), gzipSync(rows(8))))
      yield* Effect.promise(() => writeFile(join(path, "a.jsonl"), rows(2)))
      yield* Effect.promise(() => writeFile(join(path, "points.jsonl"), `{"killmail_id":1,"points":3}`))
      const mails = yield* Effect.promise(() => readCorpus(path))
      assert.deepStrictEqual(mails.map(({ hash }) => hash), [0, 1, 0, 1, 2, 3, 4, 5, 6, 7].map((k) => someMail(k).hash))
      const world = corpus(mails, 1)
      assert.strictEqual(world.head(1_000_000), world.first - 1)
      world.consumerCame(2_000_000)
      assert.strictEqual(world.head(2_000_000), world.first - 1)
      assert.strictEqual(world.head(2_001_000), world.first + 3)
      assert.strictEqual(world.head(9_000_000), world.first + 9)
      const file = world.file(world.first + 4, 9_000_000, false)
      assert.isTrue(file !== "hole" && JSON.parse(file.text).hash === someMail(2).hash)
      const { hash, killmail } = someMail(7)
      assert.deepStrictEqual(world.known(killmail.killmail_id, 0).get(hash), killmail)
    }))

  it.live("fails in one sentence that says what is wrong where", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const failure = Effect.fn(function*(name: string, content: string | Buffer) {
        const file = join(path, name)
        yield* Effect.promise(() => writeFile(file, content))
        const error = yield* Effect.flip(
          start({ port: 0, speed: 1, seed: "", faults: 0, world: "clock", corpus: file })
        )
        return error.message
      })
      assert.match(yield* failure("x.jsonl", "{\n"), /x\.jsonl, line 1 is not JSON/)
      assert.match(yield* failure("y.jsonl", `${rows(1)}\n{"killmail":{}}`), /y\.jsonl, line 2 holds no killmail/)
      assert.match(yield* failure("z.tar.bz2", "no archive"), /z\.tar\.bz2 cannot be read/)
      assert.match(yield* failure("z.jsonl.gz", "no archive"), /z\.jsonl\.gz cannot be read/)
      assert.match(yield* failure("mails.zip", ""), /mails\.zip is neither/)
    }))

  // The corpus is not part of the project: a fresh clone has no ../shared.
  it.live.skipIf(isAbsent)(
    `plays an archive of EVE Ref (skipped where ${archive} is absent)`,
    () =>
      Effect.gen(function*() {
        const mails = yield* Effect.promise(() => readCorpus(archive))
        assert.strictEqual(mails.length, 4_158)
        const world = corpus(mails, 1)
        const body = world.known(mails[0]!.killmailId, 0).get(mails[0]!.hash)!
        assert.hasAllKeys(body, ["attackers", "killmail_id", "killmail_time", "solar_system_id", "victim"])
      })
  )
})
