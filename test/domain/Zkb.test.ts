import { assert, describe, it } from "@effect/vitest"
import type { KillmailRow } from "../../src/domain/Document.ts"
import { toZkb } from "../../src/domain/Zkb.ts"

const hash = "70cae925d1b2e4d9e1a0c1ad0fb1f2c3a4b5c6d7"
const valued = {
  killmail_id: 137_259_365,
  hash,
  location_id: 40_227_213,
  fitted_value: 10_000,
  dropped_value: 0.5,
  destroyed_value: 9_999.5,
  total_value: 10_000,
  points: 1,
  is_npc: false,
  is_solo: true,
  is_awox: false,
  labels: ["cat:6", "solo", "pvp"],
  attackers: [{}]
} as unknown as KillmailRow

describe("the zkb block", () => {
  it("says in zKillboard's words what is known", () => {
    assert.deepStrictEqual(toZkb(valued), {
      locationID: 40_227_213,
      hash,
      fittedValue: 10_000,
      droppedValue: 0.5,
      destroyedValue: 9_999.5,
      totalValue: 10_000,
      points: 1,
      npc: false,
      solo: true,
      awox: false,
      labels: ["cat:6", "solo", "pvp"],
      attackerCount: 1,
      href: `https://esi.evetech.net/killmails/137259365/${hash}/`
    })
  })

  it("has numbers and flags also where nothing is known, as its readers expect", () => {
    const unknown = Object.fromEntries(
      Object.entries(valued).map(([name, value]) => [name, name === "attackers" || name === "hash" ? value : null])
    ) as unknown as KillmailRow
    const { locationID, ...rest } = toZkb({ ...unknown, killmail_id: 1 })
    assert.isUndefined(locationID)
    assert.deepInclude(rest, { totalValue: 0, points: 0, npc: false, solo: false, awox: false, labels: [] })
  })
})
