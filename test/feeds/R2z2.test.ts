import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { firstLive, readEntry } from "../../src/feeds/R2z2.ts"
import { readPackage } from "../../src/feeds/Redisq.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { eventually, manualSandbox, startDaemon } from "../support/TestDaemon.ts"

const page = { status: 200, headers: { "content-type": "text/html" }, body: "<html>maintenance</html>" }

const { hash, killmail, zkb } = killmailOf("r2z2", 1)
const killID = killmail.killmail_id

const counted = (from: number, head: number, live: (sequence: number) => boolean) =>
  Effect.gen(function*() {
    let asked = 0
    const found = yield* firstLive(from, head, (sequence) => Effect.sync(() => (asked++, live(sequence))))
    return { found, asked }
  })

const reasonOf = (text: string) => {
  const reading = readEntry(7, text)
  return reading._tag === "Poison" ? reading.reason : reading._tag
}

const read = (answer: unknown) => Option.getOrUndefined(readPackage(JSON.stringify(answer)))

describe("the first file that exists after a hole", () => {
  it.effect("is found with one question when one number was lost", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* counted(100, 200, () => true), { found: 101, asked: 1 })
    }))

  it.effect("is the nearest, where holes are scattered", () =>
    Effect.gen(function*() {
      const { found } = yield* counted(100, 200, (sequence) => ![100, 101, 102, 104].includes(sequence))
      assert.strictEqual(found, 103)
    }))

  it.effect.prop("is the first of those that were kept, however many are gone, in few questions", [
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 })),
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))
  ], ([gone, kept]) =>
    Effect.gen(function*() {
      const { asked, found } = yield* counted(0, gone + kept, (sequence) => sequence >= gone)
      assert.strictEqual(found, gone)
      assert.isAtMost(asked, 110)
    }))
})

describe("a file of R2Z2", () => {
  it("that is no JSON, lacks what names a killmail or holds another sequence is poison, with the reason", () => {
    assert.strictEqual(reasonOf("<html>"), "undecodable")
    assert.strictEqual(reasonOf("{\"killmail_id\":5}"), "undecodable")
    assert.strictEqual(reasonOf(JSON.stringify({ killmail_id: 5, hash, sequence_id: 8 })), "wrong_sequence")
    assert.strictEqual(reasonOf("{\"killmail_id\":null,\"sequence_id\":7}"), "Placeholder")
  })
})

describe("a package of RedisQ", () => {
  it("is read in each of the forms that there were", () => {
    const named = { killmail_id: killID, hash }
    assert.deepInclude(read({ package: { killID, killmail, zkb } }), { ...named, body: killmail })
    assert.deepInclude(read({ package: { killID, zkb } }), named)
    assert.deepStrictEqual(read({ package: { killID, hash } }), named)
    assert.deepStrictEqual(read({ killID, hash }), named)
    assert.isNull(read({ package: null }))
    assert.isUndefined(read({ package: { killID } }))
    assert.isUndefined(read({ error: "no" }))
  })
})

describe("a daemon that was away for long", () => {
  it.live("goes on where R2Z2 still has files, and notes as a gap what it has not", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { context } = yield* startDaemon(sandbox)
      yield* Effect.gen(function*() {
        const publish = (k: number) => {
          const mail = killmailOf("away", k)
          return sandbox.publishR2z2({ esi: mail.killmail, hash: mail.hash })
        }
        const last = publish(0)
        yield* eventually((sql) => sql`select from killmail_ledger`, (rows) => rows.length === 1)
        for (let hole = 0; hole < 500; hole++) sandbox.publishR2z2("hole")
        for (let k = 1; k < 120; k++) publish(k)
        yield* eventually((sql) => sql`select from killmail_ledger`, (rows) => rows.length === 120)
        assert.isBelow(sandbox.requests().filter(({ status }) => status === 404).length, 150)
        const sql = yield* SqlClient.SqlClient
        // Soon after midnight it is one of two days.
        assert.deepStrictEqual(
          yield* sql`select distinct reason, from_cursor::int as from, to_cursor::int as to, closed_at from gaps`,
          [{ reason: "hole", from: last + 1, to: last + 501, closed_at: null }]
        )
        assert.deepStrictEqual(sandbox.violations(), [])
      }).pipe(Effect.provide(context))
    }))
})

const mail = (k: number) => killmailOf("errs", k)
const ledgerHas = (count: number) =>
  eventually((sql) => sql`select from killmail_ledger`, (rows) => rows.length === count)

describe("a daemon whose R2Z2 errs", () => {
  it.live(
    "stays where it is while a page of maintenance is all that it gets, and then loses nothing",
    () =>
      Effect.gen(function*() {
        const sandbox = yield* manualSandbox()
        const { context } = yield* startDaemon(sandbox)
        yield* Effect.gen(function*() {
          sandbox.publishR2z2({ esi: mail(0).killmail, hash: mail(0).hash })
          yield* ledgerHas(1)
          let pages = 0
          sandbox.intercept(({ upstream }) => upstream === "r2z2" && pages < 12 ? (pages++, page) : undefined)
          for (let k = 1; k < 10; k++) sandbox.publishR2z2({ esi: mail(k).killmail, hash: mail(k).hash })
          yield* ledgerHas(10)
          assert.strictEqual(pages, 12)
        }).pipe(Effect.provide(context))
      }),
    60_000
  )

  it.live("steps over the one file that cannot be had, and keeps it as a dead letter", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { context } = yield* startDaemon(sandbox)
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        sandbox.publishR2z2({ esi: mail(0).killmail, hash: mail(0).hash })
        yield* ledgerHas(1)
        const deep = `${"[".repeat(9000)}${"]".repeat(9000)}`
        const bad = sandbox.publishR2z2({ esi: mail(1).killmail, hash: mail(1).hash })
        sandbox.intercept(({ path }) => path === `/ephemeral/${bad}.json` ? { status: 500 } : undefined)
        sandbox.publishR2z2({ esi: mail(2).killmail, hash: mail(2).hash })
        const nested = sandbox.publishR2z2({
          raw: `{"killmail_id":5,"hash":"${hash}","sequence_id":${bad + 2},"zkb":${deep}}`
        })
        const huge = sandbox.publishR2z2({ raw: `{"killmail_id":6,"hash":"${hash}${" ".repeat(17 * 1024 * 1024)}"}` })
        sandbox.publishR2z2({ esi: mail(3).killmail, hash: mail(3).hash })
        yield* ledgerHas(3)
        const letters = yield* sql`select key, reason from dead_letters order by key`
        assert.deepStrictEqual(letters, [
          { key: `r2z2:${bad}`, reason: "unavailable" },
          { key: `r2z2:${nested}`, reason: "undecodable" },
          { key: `r2z2:${huge}`, reason: "unavailable" }
        ])
      }).pipe(Effect.provide(context))
    }), 60_000)

  it.live("waits for a file that a cache denies, although there are newer ones", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { context } = yield* startDaemon(sandbox)
      yield* Effect.gen(function*() {
        const first = sandbox.publishR2z2({ esi: mail(0).killmail, hash: mail(0).hash })
        yield* ledgerHas(1)
        // One is denied until the head is looked up, which is beyond it, and twice more; another one twice.
        let headIsKnown = false
        const denials = new Map([[first + 1, 2], [first + 20, 2]])
        sandbox.intercept(({ path, upstream }) => {
          if (upstream !== "r2z2") return undefined
          headIsKnown ||= path.endsWith("/sequence.json")
          const sequence = Number(/(\d+)\.json$/.exec(path)?.[1])
          const left = denials.get(sequence) ?? 0
          if (left > 0 && headIsKnown) denials.set(sequence, left - 1)
          return left > 0 ? { status: 404 } : undefined
        })
        for (let k = 1; k <= 60; k++) sandbox.publishR2z2({ esi: mail(k).killmail, hash: mail(k).hash })
        yield* ledgerHas(61)
      }).pipe(Effect.provide(context))
    }))

  it.live("asks nothing for as long as a refusal says", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { context } = yield* startDaemon(sandbox)
      yield* Effect.gen(function*() {
        const first = sandbox.publishR2z2({ esi: mail(0).killmail, hash: mail(0).hash })
        yield* ledgerHas(1)
        sandbox.intercept(({ count, path }) =>
          path === `/ephemeral/${first + 1}.json` && count === 1
            ? { status: 429, headers: { "retry-after": "1" } }
            : undefined
        )
        sandbox.publishR2z2({ esi: mail(1).killmail, hash: mail(1).hash })
        yield* ledgerHas(2)
        const requests = sandbox.requests().filter(({ upstream }) => upstream === "r2z2")
        const refused = requests.findIndex(({ status }) => status === 429)
        assert.isAtLeast(requests[refused + 1]!.at - requests[refused]!.at, 950)
        assert.deepStrictEqual(sandbox.violations(), [])
      }).pipe(Effect.provide(context))
    }))
})
