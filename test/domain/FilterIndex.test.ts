import { assert, describe, it } from "@effect/vitest"
import type { KillmailRow } from "../../src/domain/Document.ts"
import * as FilterIndex from "../../src/domain/FilterIndex.ts"
import { matches, subjectOf } from "../../src/domain/Matching.ts"
import { randomOf } from "../../src/sandbox/Random.ts"
import { facts, generatedFilter, generatedMail } from "../support/GeneratedFilters.ts"

const subjects = Array.from({ length: 200 }, (_, k) => {
  const { attackers, victim, ...killmail } = generatedMail(k)
  const row = {
    ...killmail,
    victim_character_id: victim.character_id,
    victim_corporation_id: victim.corporation_id,
    victim_alliance_id: victim.alliance_id,
    victim_faction_id: victim.faction_id,
    victim_ship_type_id: victim.ship_type_id,
    attackers,
    x: victim.position?.x ?? null,
    y: victim.position?.y ?? null,
    z: victim.position?.z ?? null,
    labels: ["pvp"],
    total_value: 1_000_000,
    is_npc: k % 2 === 0
  } as unknown as KillmailRow
  return subjectOf(row, facts)
})

describe("an index of filters", () => {
  it("finds what each filter by itself fits, once, while filters come and go", () => {
    const random = randomOf("filter index", "turns", 0)
    const index = FilterIndex.make<number>()
    const inside = new Map<number, () => void>()
    let found = 0
    for (let turn = 0; turn < 3000; turn++) {
      const k = random.whole(0, 999)
      const remove = inside.get(k)
      if (remove === undefined) inside.set(k, index.add(generatedFilter(k), k))
      else {
        remove()
        inside.delete(k)
      }
      if (turn % 10 > 0) continue
      const subject = random.pick(subjects)
      const wanted = [...inside.keys()].filter((k) => matches(generatedFilter(k))(subject))
      assert.deepStrictEqual(index.fitting(subject).toSorted((a, b) => a - b), wanted.toSorted((a, b) => a - b))
      found += wanted.length
    }
    assert.isAbove(found, 1000)
  })
})
