import { assert, describe, it } from "@effect/vitest"
import { publishedAt } from "../../src/sandbox/Calendar.ts"
import { clockwork } from "../../src/sandbox/Clockwork.ts"
import { manualHistory } from "../../src/sandbox/History.ts"
import { makeJudge } from "../../src/sandbox/Judge.ts"
import { r2z2 } from "../../src/sandbox/R2z2.ts"
import { stage } from "../../src/sandbox/Stage.ts"
import { askAt, askOf, rulesOf, someMail } from "./Visitor.ts"

const noon = Date.UTC(2026, 5, 1, 12)

const setup = (speed = 1) => {
  const judge = makeJudge()
  const world = stage()
  const history = manualHistory()
  const upstream = r2z2(world, history, judge, speed, "tests")
  const ask = (path: string, at = noon) => askAt(upstream, judge, path, at)
  return { ask, history, judge, upstream, world }
}

describe("R2Z2 in the manual world", () => {
  it("serves a published mail with its body, its zkb block and its number", async () => {
    const { ask, world } = setup()
    const { hash, killmail } = someMail()
    const sequence = world.publish({ esi: killmail, uploaded_at: 1_795_170_000 })
    const { body } = await ask(`/ephemeral/${sequence}.json`)
    const file = JSON.parse(body!)
    assert.deepStrictEqual(file.esi, killmail)
    assert.deepInclude(file, {
      killmail_id: killmail.killmail_id,
      hash,
      sequence_id: sequence,
      uploaded_at: 1_795_170_000
    })
    assert.strictEqual(file.zkb.hash, hash)
  })

  it("serves literal text, and 404 for a hole, past the head and for what has expired", async () => {
    const { ask, world } = setup()
    const raw = world.publish({ raw: "<html>oops" })
    const hole = world.publish("hole")
    assert.strictEqual((await ask(`/ephemeral/${raw}.json`)).body, "<html>oops")
    assert.strictEqual((await ask(`/ephemeral/${hole}.json`)).status, 404)
    assert.strictEqual((await ask(`/ephemeral/${hole + 1}.json`)).status, 404)
    world.expireBefore(hole)
    assert.strictEqual((await ask(`/ephemeral/${raw}.json`)).status, 404)
  })

  it("writes sequence.json only when more than 51 numbers have passed", async () => {
    const { ask, world } = setup()
    const sequence = async (at: number) => JSON.parse((await ask("/ephemeral/sequence.json", at)).body!).sequence
    const base = await sequence(noon)
    for (let each = 0; each < 51; each++) world.publish("hole")
    assert.strictEqual(await sequence(noon + 10_000), base)
    assert.strictEqual(world.publish("hole"), base + 52)
    assert.strictEqual(await sequence(noon + 20_000), base + 52)
  })

  it("lists days that are over: how many killmails each has, their hashes, and their bodies where there is such a file", async () => {
    const { ask, history } = setup()
    const { hash, killmail } = someMail()
    history.publish("2026-05-30", { killmails: [killmail], hasBodies: true })
    history.publish("2026-05-31", { killmails: [killmail], hasBodies: false })
    const list = async (name: string) => JSON.parse((await ask(`/history/${name}.json`)).body!)
    assert.deepStrictEqual(await list("totals"), { "20260530": 1, "20260531": 1 })
    assert.deepStrictEqual(await list("20260531"), { [killmail.killmail_id]: hash })
    assert.deepStrictEqual(await list("raw/20260530"), { [killmail.killmail_id]: killmail })
    for (const missing of ["raw/20260531", "20260601", "raw/20260601"]) {
      assert.strictEqual((await ask(`/history/${missing}.json`)).status, 404)
    }
  })

  it("serves the former copy when a stale one is asked for", async () => {
    const { upstream, world } = setup()
    const sequence = world.publish({ raw: "old" })
    world.rewrite(sequence, { raw: "new" })
    const ask = askOf(upstream, `/ephemeral/${sequence}.json`, noon)
    assert.strictEqual((await upstream.answer(ask)).body, "new")
    assert.strictEqual((await upstream.answer({ ...ask, stale: true })).body, "old")
  })

  it("bans whoever asks more than 15 times a second, and longer who goes on", async () => {
    const { ask, judge, world } = setup()
    const path = `/ephemeral/${world.publish({ raw: "{}" })}.json`
    for (let each = 0; each < 15; each++) assert.strictEqual((await ask(path, noon + each)).status, 200)
    const refused = await ask(path, noon + 20)
    assert.strictEqual(refused.status, 429)
    assert.strictEqual(refused.body, "exceeded rate limit of 15/s! ban will last up to 1 hour")
    assert.strictEqual((await ask(path, noon + 240_000)).status, 429)
    assert.strictEqual((await ask(path, noon + 310_000)).status, 429)
    assert.strictEqual((await ask(path, noon + 610_000)).status, 200)
    assert.deepStrictEqual(rulesOf(judge), ["budget", "pause", "pause"])
  })

  it("wants 6 seconds of patience after a 404", async () => {
    const { ask, judge, world } = setup()
    const path = `/ephemeral/${world.first}.json`
    await ask(path, noon)
    await ask(path, noon + 5_960)
    assert.deepStrictEqual(rulesOf(judge), [])
    world.publish({ raw: "{}" })
    await ask(path, noon + 11_000)
    assert.deepStrictEqual(rulesOf(judge), ["cache"])
  })
})

describe("R2Z2 in the clock world", () => {
  const world = clockwork("tests", 1)
  const now = Math.ceil(publishedAt(40_000, 1))
  const files = Array.from({ length: 6_000 }, (_, index) => world.file(world.head(now) - index, now, false))
  const parsed = files.flatMap((file) => file === "hole" ? [] : [JSON.parse(file.text)])

  it("has rare holes, rare placeholders, repeated mails and rewritten files", () => {
    const holes = files.filter((file) => file === "hole").length
    assert.isTrue(holes > 3 && holes < 60, `${holes} holes`)
    assert.isTrue(parsed.some((file) => file.killmail_id === null))
    const ids = parsed.flatMap((file) => file.killmail_id ?? [])
    assert.isBelow(new Set(ids).size, ids.length)
    const updated = parsed.find((file) => file.sequence_updated !== undefined)!.sequence_updated
    const text = (stale: boolean) => {
      const file = world.file(updated, now, stale)
      return file === "hole" ? "" : file.text
    }
    assert.include(text(false), "ganked")
    assert.notInclude(text(true), "ganked")
  })

  it("keeps a day and no more", () => {
    assert.strictEqual(world.head(now) - world.oldest(now) + 1, 20_736)
  })

  it("lets ESI know a mail from the instant at which it is published", () => {
    const { mail } = world.file(world.head(now), now, false) as Exclude<typeof files[number], "hole">
    const id = mail!.killmail.killmail_id
    assert.deepStrictEqual(world.known(id, now).get(mail!.hash), mail!.killmail)
    assert.strictEqual(world.known(id, now - 10_000).size, 0)
  })
})
