/** zKillboard's points, by the rule in force since 2025-09-28. Points recorded earlier follow other rules. Pure. */
import { isInStructure } from "./Flags.ts"
import type { Item, Killmail } from "./Killmail.ts"
import type { StaticFacts, TypeFacts } from "./StaticData.ts"

const moduleCategory = 7
const capsules = 29
const miningLasers = 54
const droneDamageModules = 645
const strategicCruisers = 963

/** Dogma attributes. */
const metaLevel = 633
const heatDamage = 1211
const rigSize = 1547

/** Mails before this one tell no slots: their items have flag 0. */
const firstWithSlots = 23_970_577

/** 1 at the least, and always 1 for a loss to NPCs. Types that the facts do not have count as small and harmless. */
export const pointsOf = (killmail: Killmail, npc: boolean, facts: StaticFacts): number => {
  const { attackers, victim } = killmail
  const pilots = attackers.filter(({ character_id }) => (character_id ?? 0) > 0).length
  if (npc || pilots === 0 || attackers.some((attacker) => isInStructure(attacker, facts))) return 1

  const victimSize = sizeOf(facts.type(victim.ship_type_id))
  const base = 5 ** victimSize
  const danger = dangerOf(killmail, facts)
  const points = (base + danger) * clamp(danger / 4, 0.01, 1) / Math.max(1, pilots * Math.max(1, pilots / 2))

  // Small ships that kill a big one are worth more, big ones that kill a small one less. NPCs count as ships, not as heads.
  const firepower = attackers.reduce((sum, { ship_type_id }) => {
    const ship = ship_type_id === undefined ? undefined : facts.type(ship_type_id)
    return sum + 5 ** (ship?.groupId === capsules ? victimSize + 1 : sizeOf(ship))
  }, 0)
  return Math.max(1, Math.floor(points * clamp(base / Math.max(1, firepower / pilots), 0.5, 1.2)))
}

/** 1 to 4, as the rigs of the hull. */
const sizeOf = (ship: TypeFacts | undefined): number =>
  ship?.groupId === strategicCruisers ? 2 : Math.max(1, ship?.dogma.get(rigSize) ?? 1)

/** How well the victim could have fought: modules that overheat, better ones for more; mining lasers speak against it. */
const dangerOf = ({ killmail_id, victim }: Killmail, facts: StaticFacts): number => {
  let danger = 0
  for (const item of victim.items ?? []) {
    if (!isFitted(item) && !(killmail_id < firstWithSlots && item.flag === 0)) continue
    const type = facts.type(item.item_type_id)
    if (type?.categoryId !== moduleCategory) continue
    const weight = quantityOf(item) * (1 + Math.floor((type.dogma.get(metaLevel) ?? 0) / 2))
    if (type.dogma.has(heatDamage)) danger += weight
    if (type.groupId === droneDamageModules) danger += weight
    if (type.groupId === miningLasers) danger -= weight
  }
  return danger
}

/** In a low, middle or high slot, or a subsystem. */
const isFitted = ({ flag }: Item): boolean => (flag >= 11 && flag <= 34) || (flag >= 125 && flag <= 132)

const quantityOf = ({ quantity_destroyed = 0, quantity_dropped = 0 }: Item): number =>
  quantity_destroyed + quantity_dropped

const clamp = (value: number, least: number, most: number): number => Math.max(least, Math.min(most, value))
