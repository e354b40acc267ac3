import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { hashOf, Killmail } from "../../src/domain/Killmail.ts"
import { publishedAt } from "../../src/sandbox/Calendar.ts"
import { clockwork } from "../../src/sandbox/Clockwork.ts"
import { evekill } from "../../src/sandbox/Evekill.ts"
import { eveKillFeed, publishedEveKillFeed } from "../../src/sandbox/EveKillFeed.ts"
import { manualHistory } from "../../src/sandbox/History.ts"
import { makeJudge } from "../../src/sandbox/Judge.ts"
import { askAt, rulesOf, someMail } from "./Visitor.ts"

const manual = () => {
  const { publish, reserve, feed } = publishedEveKillFeed()
  const judge = makeJudge()
  const history = manualHistory()
  const upstream = evekill(feed, history, judge, 1)
  const poll = (query: string, at = 0) =>
    Effect.map(
      Effect.promise(() => askAt(upstream, judge, `/feed/poll?${query}`, at)),
      ({ body, status, headers }) => ({ status, headers, ...JSON.parse(body!) })
    )
  return { publish, reserve, poll, history, judge, upstream }
}

const numbersIn = (page: { readonly data: ReadonlyArray<{ readonly seq: number }> }) => page.data.map(({ seq }) => seq)

describe("EVE-KILL's feed in the manual world", () => {
  it.effect("tells its head after 0, and pages with bodies after a number", () =>
    Effect.gen(function*() {
      const { poll, publish } = manual()
      const numbers = Array.from({ length: 5 }, (_, k) => publish({ killmail: someMail(k).killmail }))
      assert.deepInclude(yield* poll("after=0"), { data: [], latest: numbers[4] })
      const first = yield* poll(`after=${numbers[0]}&limit=2`)
      assert.deepStrictEqual(numbersIn(first), [numbers[1], numbers[2]])
      assert.deepInclude(first, { latest: numbers[4], hasMore: true })
      const last = yield* poll(`after=${numbers[2]}&limit=2`)
      assert.deepStrictEqual(numbersIn(last), [numbers[3], numbers[4]])
      assert.isFalse(last.hasMore)
      assert.strictEqual((yield* poll("after=1")).data.length, 5)
      assert.strictEqual((yield* poll("after=x")).status, 400)
    }))

  it.effect("writes 0 for ids that ESI leaves out, in every other body", () =>
    Effect.gen(function*() {
      const { poll, publish } = manual()
      const { killmail } = someMail(1)
      const bodies = []
      for (const killmail_id of [10, 11]) {
        publish({ killmail: { ...killmail, killmail_id } })
        bodies.push((yield* poll("after=1")).data.at(-1).data)
      }
      assert.deepStrictEqual(bodies[0], { ...killmail, killmail_id: 10 })
      assert.strictEqual(bodies[1].moon_id, 0)
      assert.match(bodies[1].killmail_time, /\.000Z$/)
    }))

  it.effect("shows an entry late whose number was given out before", () =>
    Effect.gen(function*() {
      const { poll, publish, reserve } = manual()
      const seq = reserve()
      const later = publish({ killmail: someMail(1).killmail })
      assert.deepStrictEqual(numbersIn(yield* poll("after=1")), [later])
      publish({ killmail: someMail(0).killmail, seq })
      assert.deepStrictEqual(numbersIn(yield* poll("after=1")), [seq, later])
    }))

  it.effect("allows 600 requests a minute, says how many are left, and wants to know who asks", () =>
    Effect.gen(function*() {
      const { judge, poll, upstream } = manual()
      for (let request = 0; request < 600; request++) {
        const { headers, status } = yield* poll("after=0", 1_000 + request)
        assert.strictEqual(status, 200)
        assert.deepInclude(headers, { "ratelimit-limit": "600", "ratelimit-remaining": String(599 - request) })
      }
      const refused = yield* poll("after=0", 2_000)
      assert.strictEqual(refused.status, 429)
      assert.strictEqual(refused.headers["retry-after"], "59")
      assert.strictEqual((yield* poll("after=0", 61_001)).status, 200)
      assert.deepStrictEqual(rulesOf(judge), ["budget"])
      const nobody = yield* Effect.promise(async () =>
        upstream.answer({
          upstream: "evekill",
          method: "GET",
          path: "/feed/poll",
          query: new URLSearchParams(),
          headers: {},
          body: "",
          client: "",
          at: 100_000,
          stale: false,
          gone: new AbortController().signal
        })
      )
      assert.strictEqual(nobody.status, 400)
    }))
})

describe("EVE-KILL's history", () => {
  it.effect("has the days with how many killmails each has, and their hashes by id", () =>
    Effect.gen(function*() {
      const { history, judge, upstream } = manual()
      const { hash, killmail } = someMail(1)
      history.publish("2026-03-01", { killmails: [killmail], hasBodies: false })
      const get = (path: string) =>
        Effect.map(Effect.promise(() => askAt(upstream, judge, path, 0)), ({ body }) => JSON.parse(body!))
      assert.deepStrictEqual(yield* get("/history"), { data: [{ date: "2026-03-01", count: 1 }] })
      assert.deepStrictEqual(yield* get("/history/2026-03-01"), { data: { [killmail.killmail_id]: hash } })
      assert.deepStrictEqual(yield* get("/history/2026-03-02"), { data: {} })
    }))
})

describe("EVE-KILL's feed in the clock world", () => {
  it("tells R2Z2's mails, a few of them late", () => {
    const world = clockwork("tests", 1)
    const feed = eveKillFeed(world, "tests")
    const now = Math.ceil(publishedAt(40_000, 1))
    const latest = feed.latest(now)
    const found = feed.after(latest - 3_000, 3_000, now).flatMap((entry) => "seq" in entry ? [entry] : [])
    assert.isAbove(found.length, 2_950)
    for (const { hash, killmail } of found.slice(0, 20)) {
      assert.isTrue(Option.isSome(Schema.decodeUnknownOption(Killmail)(killmail)))
      assert.strictEqual(hash, hashOf(killmail))
    }
    const seenAtOnce = Array.from({ length: 1_000 }, (_, k) => k).filter((k) => {
      const at = Math.ceil(publishedAt(40_000 + k, 1)) + 1
      return feed.after(feed.latest(at) - 1, 1, at).length === 1
    })
    assert.isAbove(seenAtOnce.length, 950)
    assert.isBelow(seenAtOnce.length, 1_000)
  })
})
