import { assert, describe, it } from "@effect/vitest"
import { analysisOf } from "../../src/domain/Analysis.ts"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { changed, crowd, mailOf } from "../support/Mails.ts"

const row = (damage_done: number, ids: object = {}, final_blow = false) => ({
  damage_done,
  final_blow,
  security_status: 0,
  ...ids
})
const analysis = (...attackers: Killmail["attackers"]) => analysisOf(changed(mailOf("analysis", 1), { attackers }))

describe("an attack", () => {
  it("is told apart by pilot, corporation and alliance, most damage first", () => {
    const last = row(10, { character_id: 2, corporation_id: 20, alliance_id: 200 }, true)
    assert.deepStrictEqual(
      analysis(
        row(30, { character_id: 1, corporation_id: 10, alliance_id: 200 }),
        last,
        row(50, { character_id: 3, corporation_id: 10 }),
        row(10, { corporation_id: 30 })
      ),
      {
        attacker_count: 4,
        final_blow: last,
        characters: [
          { id: 3, damage_done: 50, share: 0.5 },
          { id: 1, damage_done: 30, share: 0.3 },
          { id: 2, damage_done: 10, share: 0.1 }
        ],
        corporations: [
          { id: 10, damage_done: 80, share: 0.8 },
          { id: 20, damage_done: 10, share: 0.1 },
          { id: 30, damage_done: 10, share: 0.1 }
        ],
        alliances: [{ id: 200, damage_done: 40, share: 0.4 }]
      }
    )
  })

  it("without damage has shares of 0, and one without attackers no final blow", () => {
    assert.deepStrictEqual(analysis(row(0, { character_id: 1 })).characters, [{ id: 1, damage_done: 0, share: 0 }])
    assert.deepStrictEqual(analysis(), {
      attacker_count: 0,
      final_blow: null,
      characters: [],
      corporations: [],
      alliances: []
    })
  })

  it("does not take damage back where an old mail tells of negative damage", () => {
    assert.deepStrictEqual(
      analysis(row(-5, { character_id: 1 }), row(5, { character_id: 2 })).characters.map(({ share }) => share),
      [1, 0]
    )
  })

  it("is the same in whatever order the attackers stand", () => {
    const attackers = crowd(500)
    assert.deepStrictEqual(analysis(...attackers.toReversed()), analysis(...attackers))
    assert.approximately(analysis(...attackers).corporations.reduce((sum, { share }) => sum + share, 0), 1, 1e-9)
  })
})
