/** Who did how much of it. Pure. */
import type { Attacker, Killmail } from "./Killmail.ts"

export interface DamageShare {
  readonly id: number
  readonly damage_done: number
  /** Of all damage done on the mail, 0 to 1. It need not add up to the damage taken. */
  readonly share: number
}

export interface Analysis {
  /** Every row, NPCs too. */
  readonly attacker_count: number
  readonly final_blow: Attacker | null
  /** Most damage first. Attackers without such an id are in none of the lists, but their damage is in the whole. */
  readonly characters: ReadonlyArray<DamageShare>
  readonly corporations: ReadonlyArray<DamageShare>
  readonly alliances: ReadonlyArray<DamageShare>
}

export const analysisOf = ({ attackers }: Killmail): Analysis => {
  const whole = attackers.reduce((sum, attacker) => sum + damageOf(attacker), 0)
  const sharesBy = (idOf: (attacker: Attacker) => number | undefined): ReadonlyArray<DamageShare> => {
    const damages = new Map<number, number>()
    for (const attacker of attackers) {
      const id = idOf(attacker)
      if (id !== undefined) damages.set(id, (damages.get(id) ?? 0) + damageOf(attacker))
    }
    return [...damages]
      .map(([id, damage_done]) => ({ id, damage_done, share: whole === 0 ? 0 : damage_done / whole }))
      .toSorted((a, b) => b.damage_done - a.damage_done || a.id - b.id)
  }
  return {
    attacker_count: attackers.length,
    final_blow: attackers.find((attacker) => attacker.final_blow) ?? null,
    characters: sharesBy(({ character_id }) => character_id),
    corporations: sharesBy(({ corporation_id }) => corporation_id),
    alliances: sharesBy(({ alliance_id }) => alliance_id)
  }
}

/** A few old mails tell of negative damage. */
const damageOf = ({ damage_done }: Attacker): number => Math.max(0, damage_done)
