import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { esiCharacters } from "../../src/sandbox/EsiCharacters.ts"
import { errorLimitOf } from "../../src/sandbox/EsiLimits.ts"
import { makeJudge } from "../../src/sandbox/Judge.ts"
import { pilotLife } from "../../src/sandbox/PilotLife.ts"
import { type Sandbox, start } from "../../src/sandbox/Sandbox.ts"
import { json } from "../../src/sandbox/Upstream.ts"
import { askOf, get } from "./Visitor.ts"

const minute = 60_000
const pilot = 2_112_000_001
const scopes = ["esi-skills.read_skills.v1", "esi-markets.read_character_orders.v1"]

const holderOf = (token: string) => token === "good" ? { clientId: "any", characterId: pilot, scopes } : undefined
const iso = (millis: number) => new Date(millis).toISOString().slice(0, 19) + "Z"

/** Asks as a character that allowed these scopes. */
const world = () => {
  const judge = makeJudge()
  const limitless = errorLimitOf(1, judge)
  const answer = esiCharacters(holderOf, judge, 1, (_, body) => json(200, body))
  const upstream = { name: "esi", environment: ["", ""], scopeOf: () => "esi", answer: () => json(500, {}) } as const
  const ask = (path: string, at: number, token = "good") =>
    answer(askOf(upstream, path, at, { authorization: `Bearer ${token}` }), limitless)
  return { ask, judge }
}

describe("ESI of a character", () => {
  it("is for whom it allowed, with the scope, and for nobody else", () => {
    const { ask } = world()
    assert.strictEqual(ask(`/characters/${pilot}/skills`, 0).status, 200)
    assert.strictEqual(ask(`/characters/${pilot}/skills`, 0, "bad").status, 401)
    assert.strictEqual(ask(`/characters/${pilot + 1}/skills`, 0).status, 403)
    assert.strictEqual(ask(`/characters/${pilot}/mail`, 0).status, 403)
  })

  it("has a bucket of 600 tokens in 15 minutes for each group, and what goes beyond is written down", () => {
    const { ask, judge } = world()
    for (let count = 0; count < 300; count++) ask(`/characters/${pilot}/skills`, count)
    const refused = ask(`/characters/${pilot}/skills`, 300)
    assert.strictEqual(refused.status, 429)
    assert.strictEqual(refused.headers!["x-ratelimit-group"], "char-detail")
    assert.deepStrictEqual(judge.violations().map(({ rule }) => rule), ["budget"])
    assert.strictEqual(ask(`/characters/${pilot}/skills`, 15 * minute).status, 200)
  })

  it.live("wants a token", () =>
    Effect.scoped(Effect.gen(function*() {
      const sandbox: Sandbox = yield* start({ port: 0, speed: 1, seed: "tests", faults: 0, world: "manual" })
      for (const path of ["skills", "skillqueue", "mail", "orders", "orders/history", "industry/jobs", "planets"]) {
        const { status } = yield* Effect.promise(() => get(sandbox, `/esi/characters/${pilot}/${path}`))
        assert.strictEqual(status, 401, path)
      }
    })))
})

describe("a pilot's life", () => {
  const life = pilotLife(pilot, 0, 1)
  const beat = 20 * minute

  it("brings a trained skill, a mail and a job's end every 20 minutes", () => {
    const [before, after] = [3.5 * beat, 4.5 * beat]
    assert.strictEqual(life.skills(after).skills.length, life.skills(before).skills.length + 1)
    assert.strictEqual(life.mail(after)[0]!.mail_id, life.mail(before)[0]!.mail_id + 1)
    assert.strictEqual(life.skillQueue(after)[0]!.finish_date, iso(4 * beat))
    assert.deepStrictEqual(life.industryJobs(after).map(({ status }) => status), [
      "active",
      "active",
      "active",
      "ready"
    ])
  })

  it("fills, cancels and lets expire orders, of which the history names all but those that were filled", () => {
    const seen = new Map<number, number>()
    for (let at = 0; at < 20 * beat; at += beat) {
      for (const { order_id, volume_remain } of life.orders(at)) seen.set(order_id, volume_remain)
    }
    const now = 30 * beat
    const states = new Map(life.orderHistory(now).map(({ order_id, state }) => [order_id, state]))
    const ends = [...seen].map(([id, remain]) => states.get(id) ?? (remain < 1000 ? "filled" : "lost"))
    assert.sameMembers([...new Set(ends)], ["filled", "cancelled", "expired"])
  })

  it("lets extractors run out, and starts them again", () => {
    const [planet] = life.planets(0)
    const expiries = new Set(
      Array.from({ length: 40 }, (_, count) => life.colony(planet!.planet_id, count * beat / 4)!.pins[1]!)
        .map((pin) => "expiry_time" in pin ? pin.expiry_time : "")
    )
    assert.isAbove(expiries.size, 2)
    assert.isUndefined(life.colony(1, 0))
  })
})
