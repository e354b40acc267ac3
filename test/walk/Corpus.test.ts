import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { existsSync } from "node:fs"
import { toEsi } from "../../src/domain/Document.ts"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { readCorpus } from "../../src/sandbox/CorpusFiles.ts"
import { KillmailReader } from "../../src/store/KillmailReader.ts"
import { meaningOf } from "../support/Meaning.ts"
import { eventually, manualSandbox, startDaemon } from "../support/TestDaemon.ts"

const corpus = "../shared/corpus"
const isHere = existsSync(corpus)
if (!isHere) console.log(`${corpus} is not here: the tests on recorded killmails are skipped.`)

describe.skipIf(!isHere)("recorded killmails", () => {
  for (const file of ["killmails-odd.jsonl.gz", "archives/killmails-2021-12-03.tar.bz2"]) {
    it.live(`of ${file} are each stored once, with every attacker and item`, () =>
      Effect.gen(function*() {
        const path = `${corpus}/${file}`
        const mails = yield* Effect.promise(() => readCorpus(path))
        const sandbox = yield* manualSandbox({ world: "clock", corpus: path, speed: 1000 })
        const { context } = yield* startDaemon(sandbox, { KILLMAILD_R2Z2_RATE: "4000", KILLMAILD_R2Z2_POLL: "8ms" })
        yield* Effect.gen(function*() {
          const reader = yield* KillmailReader
          yield* eventually(
            (sql) => sql<{ n: number }>`select count(*)::int as n from killmail_ledger`,
            ([row]) => row!.n === mails.length,
            120_000
          )
          for (const { hash, killmailId, text } of mails) {
            const killmail = JSON.parse(text.toString()) as Killmail
            const row = Option.getOrThrow(yield* reader.find(killmailId))
            assert.strictEqual(row.hash, hash)
            assert.strictEqual(meaningOf(toEsi(row)), meaningOf(killmail))
          }
          assert.deepStrictEqual(sandbox.violations(), [])
        }).pipe(Effect.provide(context))
      }), 150_000)
  }
})
