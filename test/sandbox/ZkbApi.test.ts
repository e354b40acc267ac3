import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { makeJudge } from "../../src/sandbox/Judge.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { zkbApi } from "../../src/sandbox/ZkbApi.ts"
import { withVictim } from "../support/Mails.ts"
import { askAt, rulesOf } from "./Visitor.ts"

const now = Date.parse("2026-06-01T00:00:00Z")
const alliance = 99_000_001

const losses = (count: number): ReadonlyArray<Killmail> =>
  Array.from({ length: count }, (_, k) => withVictim(killmailOf("zkb", k).killmail, { alliance_id: alliance }))

const manual = (killmails: ReadonlyArray<Killmail>) => {
  const judge = makeJudge()
  const upstream = zkbApi(() => killmails, judge, 1)
  let at = now
  const get = (path: string) => Effect.promise(() => askAt(upstream, judge, path, at += 1_000))
  const page = (path: string) => Effect.map(get(path), ({ body }) => JSON.parse(body!))
  return { get, judge, page, upstream, ask: (path: string) => Effect.promise(() => askAt(upstream, judge, path, now)) }
}

describe("zKillboard's API", () => {
  it.effect("tells newest first, some pages short, and an empty one after the last", () =>
    Effect.gen(function*() {
      const killmails = losses(450)
      const { judge, page } = manual(killmails)
      const pages = yield* Effect.forEach([1, 2, 3, 4], (n) => page(`/api/allianceID/${alliance}/page/${n}/`))
      assert.deepStrictEqual(pages.map(({ length }) => length), [200, 198, 52, 0])
      const ids = pages.flat().map(({ killmail_id }) => killmail_id)
      assert.deepStrictEqual(ids, ids.toSorted((a, b) => b - a))
      assert.sameMembers(ids, killmails.map(({ killmail_id }) => killmail_id))
      assert.deepStrictEqual(rulesOf(judge), [])
    }))

  it.effect("errs with 200 beyond page 100 and without an entity, and blocks whoever errs often", () =>
    Effect.gen(function*() {
      const { get, page } = manual([])
      assert.deepStrictEqual(yield* page("/api/allianceID/1/page/101/"), { error: "page value > 100 not allowed" })
      assert.deepStrictEqual(yield* page("/api/solo/"), { error: "Please provide an entity filter first." })
      for (let error = 2; error < 40; error++) yield* get("/api/")
      assert.deepInclude(yield* get("/api/allianceID/1/"), { status: 302 })
    }))

  it.effect("wants the last slash and no query, and withholds what was killed a moment ago", () =>
    Effect.gen(function*() {
      const [killmail] = losses(1)
      const fresh = { ...killmail!, killmail_time: new Date(now - 60_000).toISOString().replace(".000", "") }
      const { get, page } = manual([fresh])
      assert.strictEqual((yield* get(`/api/allianceID/${alliance}`)).body, "")
      assert.strictEqual((yield* get(`/api/allianceID/${alliance}/?page=2`)).status, 403)
      assert.deepStrictEqual(yield* page(`/api/allianceID/${alliance}/`), [])
    }))

  it.effect("allows about a request a second", () =>
    Effect.gen(function*() {
      const { ask, judge } = manual([])
      const statuses = yield* Effect.forEach(Array.from({ length: 13 }), () => ask(`/api/allianceID/${alliance}/`))
      assert.deepStrictEqual(statuses.map(({ status }) => status), [...Array.from({ length: 12 }, () => 200), 429])
      assert.deepStrictEqual(rulesOf(judge), ["budget"])
    }))
})
