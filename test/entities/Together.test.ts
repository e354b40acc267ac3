import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { askTogether } from "../../src/entities/Together.ts"
import { EsiError, EsiNotFound, EsiRefused, EsiUnavailable } from "../../src/esi/EsiError.ts"

const ids = (count: number) => Array.from({ length: count }, (_, k) => k + 1)

/** Asks an ESI that does not know `unknown`: what it found, how often it asked, and what was kept. */
const askingFor = (asked: ReadonlyArray<number>, unknown: ReadonlySet<number>, error = notFound) =>
  Effect.gen(function*() {
    const kept: Array<number> = []
    let questions = 0
    const found = yield* askTogether(
      asked,
      (part) => {
        questions++
        return part.some((id) => unknown.has(id)) ? Effect.fail(error) : Effect.succeed(part)
      },
      (answer) => Effect.sync(() => kept.push(...answer))
    )
    return { found, questions, kept }
  })

const notFound = new EsiError({ reason: new EsiNotFound({ path: "/universe/names" }) })
const refused = new EsiError({ reason: new EsiRefused({ path: "/characters/affiliation", status: 400, problem: "" }) })

describe("a question about a thousand", () => {
  it.effect("is one when all are known", () =>
    Effect.gen(function*() {
      const { found, kept, questions } = yield* askingFor(ids(1000), new Set())
      assert.deepStrictEqual([found, questions, kept.length], [undefined, 1, 1000])
    }))

  it.effect("finds an unknown one in ten more, wherever it is, and keeps all before it", () =>
    Effect.gen(function*() {
      for (const unknown of [1, 2, 3, 500, 501, 777, 999, 1000]) {
        const { found, kept, questions } = yield* askingFor(ids(1000), new Set([unknown]))
        assert.strictEqual(found, unknown)
        assert.isAtMost(questions, 1 + 10)
        assert.deepStrictEqual(kept, ids(unknown - 1))
      }
    }))

  it.effect("finds the first of several, by either refusal", () =>
    Effect.gen(function*() {
      for (const error of [notFound, refused]) {
        const { found, kept, questions } = yield* askingFor(ids(1000), new Set([900, 412, 413]), error)
        assert.strictEqual(found, 412)
        assert.isAtMost(questions, 1 + 10)
        assert.strictEqual(kept.length, 411)
      }
    }))

  it.effect("costs each unknown one at most eleven more, the rest being asked again with others", () =>
    Effect.gen(function*() {
      for (const unknown of [[1], [3, 5, 7, 11, 13], [250, 500, 750, 1000], ids(20)]) {
        let left = ids(1000)
        let questions = 0
        for (;;) {
          const turn = yield* askingFor(left, new Set(unknown))
          questions += turn.questions
          if (turn.found === undefined) break
          left = left.slice(left.indexOf(turn.found) + 1)
          if (left.length === 0) break
        }
        assert.isAtMost(questions, 1 + unknown.length * 11, `${unknown.length} unknown`)
      }
    }))

  it.effect("about one alone is not repeated", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* askingFor([7], new Set([7])), { found: 7, questions: 1, kept: [] })
    }))

  it.effect("fails with what is not about ids", () =>
    Effect.gen(function*() {
      const down = new EsiError({ reason: new EsiUnavailable({ path: "/universe/names", status: 502, problem: "" }) })
      assert.strictEqual(yield* Effect.flip(askingFor(ids(10), new Set([1]), down)), down)
    }))
})
