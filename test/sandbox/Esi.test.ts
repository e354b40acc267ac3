import { assert, describe, it } from "@effect/vitest"
import { censusOf } from "../../src/sandbox/Census.ts"
import { esi } from "../../src/sandbox/Esi.ts"
import { makeJudge } from "../../src/sandbox/Judge.ts"
import { manualMarket } from "../../src/sandbox/Market.ts"
import { stage } from "../../src/sandbox/Stage.ts"
import { askAt, rulesOf, someMail } from "./Visitor.ts"

const noon = Date.UTC(2026, 5, 1, 12)

const setup = (speed = 1) => {
  const judge = makeJudge()
  const upstream = esi(stage(), censusOf("tests"), manualMarket(), judge, speed)
  const ask = (path: string, at = noon, headers: Record<string, string> = {}) =>
    askAt(upstream, judge, path, at, headers)
  return { ask, judge, upstream }
}

describe("ESI's killmails", () => {
  it("come with the body, the headers of a cache and the bucket's", async () => {
    const { ask, upstream } = setup()
    const { hash, killmail, path } = someMail()
    upstream.know(killmail, hash)
    const answer = await ask(path)
    assert.strictEqual(answer.status, 200)
    assert.deepStrictEqual(JSON.parse(answer.body!), killmail)
    assert.include(answer.headers, {
      "x-ratelimit-group": "killmail",
      "x-ratelimit-limit": "3600/15m",
      "x-ratelimit-remaining": "3598",
      "x-ratelimit-used": "2",
      expires: new Date(noon + 30 * 86_400_000).toUTCString()
    })
  })

  it("are 304 without a body, at one token, to a client that has them", async () => {
    const { ask, upstream } = setup()
    const { hash, killmail, path } = someMail()
    upstream.know(killmail, hash)
    const etag = (await ask(path)).headers!["etag"]!
    const again = await ask(path, noon + 31 * 86_400_000, { "if-none-match": etag })
    assert.strictEqual(again.status, 304)
    assert.strictEqual(again.body, undefined)
    assert.strictEqual(again.headers!["x-ratelimit-used"], "1")
  })

  it("are 422 under another hash and 404 under an unknown id, at five tokens each", async () => {
    const { ask, upstream } = setup()
    const { hash, killmail } = someMail()
    upstream.know(killmail, hash)
    assert.strictEqual((await ask(`/killmails/${killmail.killmail_id}/${"0".repeat(40)}`)).status, 422)
    const unknown = await ask(`/killmails/5/${hash}`)
    assert.strictEqual(unknown.status, 404)
    assert.strictEqual(unknown.headers!["x-ratelimit-remaining"], "3590")
  })

  it("are refused for a compatibility date that is garbage or has not begun", async () => {
    const { ask, upstream } = setup()
    const { hash, killmail, path } = someMail()
    upstream.know(killmail, hash)
    const dated = async (date: string, at = noon) => (await ask(path, at, { "x-compatibility-date": date })).status
    assert.strictEqual(await dated("2026-05-01"), 200)
    assert.strictEqual(await dated("2026-06-01"), 200)
    assert.strictEqual(await dated("2026-06-01", Date.UTC(2026, 5, 1, 10)), 400)
    assert.strictEqual(await dated("2026-06-02"), 400)
    assert.strictEqual(await dated("yesterday"), 400)
  })

  it("are refused when the bucket is empty, until the tokens of 15 minutes ago return", async () => {
    const { ask, judge } = setup()
    const spend = (at: number) => ask(`/killmails/5/${"0".repeat(40)}`, at)
    for (let each = 0; each < 720; each++) await spend(noon + each)
    const refused = await spend(noon + 1_000)
    assert.strictEqual(refused.status, 429)
    assert.strictEqual(refused.headers!["retry-after"], "899")
    assert.deepStrictEqual(rulesOf(judge), ["budget"])
    assert.strictEqual((await spend(noon + 1_000 + 899_000)).status, 404)
    assert.deepStrictEqual(rulesOf(judge), ["budget"])
  })

  it("are followed by a judged pause when refused, after a grace for what was under way", async () => {
    const { ask, judge } = setup(1 / 1800)
    const spend = (at: number) => ask(`/killmails/5/${"0".repeat(40)}`, at)
    await spend(noon)
    await spend(noon)
    await spend(noon + 200)
    assert.deepStrictEqual(rulesOf(judge), ["budget", "budget"])
    await spend(noon + 300)
    assert.deepStrictEqual(rulesOf(judge), ["budget", "budget", "pause", "budget"])
    await ask("/status", noon + 400)
    assert.strictEqual(rulesOf(judge).length, 4)
  })

  it("have more tokens and shorter windows and caches in a faster sandbox, and say so", async () => {
    const { ask, upstream } = setup(1000)
    const { hash, killmail, path } = someMail()
    upstream.know(killmail, hash)
    const { headers, quietMillis } = await ask(path)
    assert.strictEqual(headers!["x-ratelimit-limit"], "3600000/900ms")
    assert.strictEqual(headers!["expires"], new Date(noon + 2_592_000).toUTCString())
    assert.strictEqual(quietMillis, 2_592_000)
  })
})

describe("ESI's universe", () => {
  it("knows types, groups, categories, systems, constellations and regions, which lead to each other", async () => {
    const { ask } = setup()
    const body = async (path: string) => JSON.parse((await ask(`/universe/${path}/`)).body!)
    const ship = await body("types/587")
    assert.deepInclude(ship, { type_id: 587, name: "Rifter", group_id: 25, published: true })
    const group = await body(`groups/${ship.group_id}`)
    assert.deepInclude(group, { name: "Frigate", category_id: 6 })
    assert.deepInclude(await body(`categories/${group.category_id}`), { name: "Ship" })
    const system = await body("systems/30000142")
    assert.deepInclude(system, { name: "Jita", constellation_id: 20_000_020 })
    const constellation = await body(`constellations/${system.constellation_id}`)
    assert.deepInclude(await body(`regions/${constellation.region_id}`), { name: "The Forge" })
    assert.strictEqual((await ask("/universe/systems/30099999/")).status, 404)
  })

  it("is not to be asked for the same again before 11:05", async () => {
    const { ask, judge } = setup()
    await ask("/universe/types/587", noon)
    await ask("/universe/types/587", noon + 3_600_000)
    assert.deepStrictEqual(rulesOf(judge), ["cache"])
    await ask("/universe/types/587", Date.UTC(2026, 5, 2, 11, 5))
    assert.deepStrictEqual(rulesOf(judge), ["cache"])
  })
})

describe("ESI's other routes", () => {
  it("share an error limit which, used up, closes every route until the minute ends", async () => {
    const { ask, judge, upstream } = setup()
    const { hash, killmail, path } = someMail()
    upstream.know(killmail, hash)
    assert.strictEqual((await ask("/universe/types/587/")).headers!["x-esi-error-limit-remain"], "100")
    for (let each = 0; each < 100; each++) {
      assert.strictEqual((await ask(`/universe/types/${each + 1}000000/`)).status, 404)
    }
    const closed = await ask(path, noon + 20_000)
    assert.strictEqual(closed.status, 420)
    assert.strictEqual(closed.headers!["x-esi-error-limit-remain"], "0")
    assert.strictEqual(closed.headers!["x-esi-error-limit-reset"], "40")
    assert.strictEqual((await ask(path, noon + 60_000)).status, 200)
    assert.deepStrictEqual(rulesOf(judge), ["budget"])
  })

  it("answer 503 and 504 at no tokens while Tranquility is down", async () => {
    const { ask, upstream } = setup()
    const { hash, killmail, path } = someMail()
    upstream.know(killmail, hash)
    upstream.tranquility(true)
    const [page, timeout, status] = [await ask(path), await ask(path), await ask("/status")]
    assert.deepStrictEqual([page.status, timeout.status, status.status], [503, 504, 503])
    assert.match(page.body!, /<html>/)
    assert.match(timeout.body!, /Timeout contacting tranquility/)
    assert.strictEqual(timeout.headers!["x-ratelimit-remaining"], "3600")
    upstream.tranquility(false)
    assert.strictEqual((await ask(path)).status, 200)
  })

  it("tell the number of players, not to be asked for again within 30 seconds", async () => {
    const { ask, judge } = setup()
    assert.containsAllKeys(JSON.parse((await ask("/status")).body!), ["players", "server_version", "start_time", "vip"])
    await ask("/status", noon + 30_000)
    assert.deepStrictEqual(rulesOf(judge), [])
    await ask("/status", noon + 59_999)
    assert.deepStrictEqual(rulesOf(judge), ["cache"])
  })
})
