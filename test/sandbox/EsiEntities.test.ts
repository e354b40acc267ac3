import { assert, describe, it } from "@effect/vitest"
import { censusOf } from "../../src/sandbox/Census.ts"
import { esi } from "../../src/sandbox/Esi.ts"
import { makeJudge } from "../../src/sandbox/Judge.ts"
import { manualMarket } from "../../src/sandbox/Market.ts"
import { nameOf, pilotOf } from "../../src/sandbox/People.ts"
import { stage } from "../../src/sandbox/Stage.ts"
import { askAt, rulesOf } from "./Visitor.ts"

const noon = Date.UTC(2026, 5, 1, 12)
const hour = 3_600_000

const setup = () => {
  const judge = makeJudge()
  const census = censusOf("tests")
  const upstream = esi(stage(), census, manualMarket(), judge, 1)
  const read = async (path: string, at: number, body?: unknown) => {
    const answer = await askAt(upstream, judge, path, at, {}, body)
    return { ...answer, body: JSON.parse(answer.body!) }
  }
  return {
    census,
    judge,
    get: (path: string, at = noon) => read(path, at),
    post: (path: string, body: unknown, at = noon) => read(path, at, body)
  }
}

const pilot = pilotOf("tests", 7)
const from = (first: number, count: number) => Array.from({ length: count }, (_, k) => first + k)

describe("ESI's names", () => {
  it("are those of everything in the game, up to a thousand at once", async () => {
    const { post } = setup()
    const { body } = await post("/universe/names", [30_000_142, 670, 1_000_125, pilot.character])
    assert.deepStrictEqual(body, [
      { category: "solar_system", id: 30_000_142, name: "Jita" },
      { category: "inventory_type", id: 670, name: "Capsule" },
      { category: "corporation", id: 1_000_125, name: "CONCORD" },
      { category: "character", id: pilot.character, name: nameOf(pilot.character) }
    ])
    assert.strictEqual((await post("/universe/names", from(90_000_000, 1000))).body.length, 1000)
  })

  it("are refused as a whole for one id that never was, which counts as an error", async () => {
    const { census, post } = setup()
    census.forget(90_000_500)
    const { body, headers, status } = await post("/universe/names", from(90_000_000, 1000))
    assert.strictEqual(status, 404)
    assert.deepStrictEqual(body, { error: "Ensure all IDs are valid before resolving." })
    assert.strictEqual(headers!["x-esi-error-limit-remain"], "99")
    assert.notProperty(headers!, "x-ratelimit-group")
  })

  it("are refused for no ids, too many, doubles and nonsense", async () => {
    const { post } = setup()
    for (const ids of [[], from(90_000_000, 1001), [90_000_000, 90_000_000], ["90000000"], {}, 5]) {
      assert.strictEqual((await post("/universe/names", ids)).status, 400, JSON.stringify(ids).slice(0, 50))
    }
  })
})

describe("ESI's affiliations", () => {
  it("are those of the generated killmails, until somebody moves", async () => {
    const { census, post } = setup()
    const ask = async (at: number) => (await post("/characters/affiliation", [pilot.character], at)).body
    assert.deepStrictEqual(await ask(noon), [{
      character_id: pilot.character,
      corporation_id: pilot.corporation,
      ...(pilot.alliance === undefined ? {} : { alliance_id: pilot.alliance })
    }])
    census.move(pilot.character, { corporation_id: 98_000_001 })
    assert.deepStrictEqual(await ask(noon + hour), [{ character_id: pilot.character, corporation_id: 98_000_001 }])
  })

  it("are refused as a whole for one id that is no character", async () => {
    const { post } = setup()
    assert.strictEqual((await post("/characters/affiliation", [pilot.character, 98_000_001])).status, 400)
  })

  it("hold for an hour, in whatever company they are asked for", async () => {
    const { judge, post } = setup()
    await post("/characters/affiliation", [90_000_001, 90_000_002])
    await post("/characters/affiliation", [90_000_003], noon + 1)
    assert.deepStrictEqual(rulesOf(judge), [])
    await post("/characters/affiliation", [90_000_002, 90_000_004], noon + 2)
    assert.deepStrictEqual(rulesOf(judge), ["cache"])
    await post("/characters/affiliation", [90_000_001], noon + hour)
    assert.deepStrictEqual(rulesOf(judge), ["cache"])
  })
})

describe("ESI's characters, corporations and alliances", () => {
  it("come with what the document of 2026-08-18 requires", async () => {
    const { census, get } = setup()
    census.move(98_000_001, { alliance_id: 99_000_001 })
    const character = (await get(`/characters/${pilot.character}`)).body
    assert.containsAllKeys(character, ["achievement_score", "birthday", "bloodline_id", "gender", "name", "race_id"])
    assert.strictEqual(character.corporation_id, pilot.corporation)
    const corporation = (await get("/corporations/98000001")).body
    assert.containsAllKeys(corporation, ["description", "friendly_fire", "home_station_id", "member_count", "shares"])
    assert.containsAllKeys(corporation, ["state", "tax_rates", "ticker", "type", "war_eligible"])
    assert.strictEqual(corporation.alliance_id, 99_000_001)
    const alliance = (await get("/alliances/99000001/")).body
    assert.containsAllKeys(alliance, ["creator_corporation_id", "creator_id", "date_founded", "name", "ticker"])
  })

  it("that are gone: a character is 404 and in Doomheim, a corporation closed, an alliance without an executor", async () => {
    const { census, get, post } = setup()
    for (const id of [pilot.character, 98_000_001, 99_000_001]) census.end(id)
    assert.deepStrictEqual((await get(`/characters/${pilot.character}`)).body, {
      error: "Character has been deleted!"
    })
    assert.deepStrictEqual((await post("/characters/affiliation", [pilot.character])).body, [
      { character_id: pilot.character, corporation_id: 1_000_001 }
    ])
    assert.strictEqual((await post("/universe/names", [pilot.character])).status, 200)
    assert.strictEqual((await get("/corporations/98000001")).body.state, "closed")
    assert.notProperty((await get("/alliances/99000001")).body, "executor_corporation_id")
  })

  it("that never were are 404", async () => {
    const { census, get } = setup()
    for (const id of [90_000_001, 98_000_001, 99_000_001]) census.forget(id)
    for (const path of ["/characters/90000001", "/corporations/98000001", "/alliances/99000001"]) {
      assert.strictEqual((await get(path)).status, 404)
    }
  })

  it("hold for an hour, characters for a day", async () => {
    const { get, judge } = setup()
    const ask = async (at: number) => {
      await get("/characters/90000001", at)
      await get("/alliances/99000001", at)
    }
    await ask(noon)
    await ask(noon + hour)
    assert.strictEqual(judge.violations().length, 1)
    assert.include(judge.violations()[0]!.detail, "/characters/90000001")
  })
})
