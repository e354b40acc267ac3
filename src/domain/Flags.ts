/** Whether a loss was to NPCs, to a single pilot, or to one's own corporation: zKillboard's definitions. Pure. */
import type { Attacker, Killmail } from "./Killmail.ts"
import type { StaticFacts } from "./StaticData.ts"

export interface Flags {
  readonly npc: boolean
  readonly solo: boolean
  readonly awox: boolean
}

/** Ids up to here are NPCs: agents from 3,000,000, corporations from 1,000,000. */
const lastNpcCharacter = 3_999_999
const lastNpcCorporation = 1_999_999

const shipCategory = 6
const structureCategory = 65
const capsules = 29
const shuttles = 31
const corvettes = 237

/** What a flag asks of a type that the facts do not have, it takes for no ship and no structure. */
export const flagsOf = (killmail: Killmail, facts: StaticFacts): Flags => {
  const npc = isNpc(killmail)
  return { npc, solo: !npc && isSolo(killmail, facts), awox: !npc && isAwox(killmail, facts) }
}

/** An NPC's ship or structure was lost, or no player fired, be it by a structure that has a corporation and no pilot. */
const isNpc = ({ attackers, victim }: Killmail): boolean => {
  const corporation = victim.corporation_id ?? 0
  if (victim.character_id === undefined && corporation > 1 && corporation < lastNpcCorporation) return true
  return !attackers.some((attacker) => isPilot(attacker) || (attacker.corporation_id ?? 0) > lastNpcCorporation)
}

const isSolo = ({ attackers, victim }: Killmail, facts: StaticFacts): boolean => {
  const ship = facts.type(victim.ship_type_id)
  if (ship?.categoryId !== shipCategory) return false
  if (ship.groupId === capsules || ship.groupId === shuttles || ship.groupId === corvettes) return false
  return attackers.filter(isPilot).length === 1 && !attackers.some((attacker) => isInStructure(attacker, facts))
}

const isAwox = ({ attackers, victim }: Killmail, facts: StaticFacts): boolean => {
  const corporation = victim.corporation_id ?? 0
  const group = facts.type(victim.ship_type_id)?.groupId
  return corporation > lastNpcCorporation && group !== capsules && group !== corvettes &&
    attackers.some((attacker) => attacker.final_blow && attacker.corporation_id === corporation)
}

const isPilot = ({ character_id }: Attacker): boolean => (character_id ?? 0) > lastNpcCharacter

/** A structure fires with its own type in place of a ship's. */
export const isInStructure = ({ ship_type_id }: Attacker, facts: StaticFacts): boolean =>
  ship_type_id !== undefined && facts.type(ship_type_id)?.categoryId === structureCategory
