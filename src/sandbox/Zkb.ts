/**
 * What zKillboard says about a mail: the `zkb` block in its true shape. Flags and labels follow zKillboard's definitions;
 * values are at the sandbox's own fixed prices, and points are only of the right size, as the true rule needs the
 * attributes of every module.
 */
import { type Attacker, type Item, type Killmail, normaliseTime } from "../domain/Killmail.ts"
import { capsule, type Hull, hullOf, systems } from "./Gazetteer.ts"
import { cents, worthOf } from "./Worth.ts"

export interface Zkb {
  readonly locationID?: number
  readonly hash: string
  readonly fittedValue: number
  readonly droppedValue: number
  readonly destroyedValue: number
  readonly totalValue: number
  readonly totalDroppableValue: number
  readonly points: number
  readonly npc: boolean
  readonly solo: boolean
  readonly awox: boolean
  readonly labels: ReadonlyArray<string>
  readonly attackerCount: number
  readonly href: string
}

export const zkbOf = (killmail: Killmail, hash: string): Zkb => {
  const { attackers, victim } = killmail
  const items = (victim.items ?? []).flatMap((item) => [item, ...(item.items ?? [])])
  const hull = worthOf(victim.ship_type_id)
  const dropped = total(items, (item) => item.quantity_dropped)
  const destroyed = total(items, (item) => item.quantity_destroyed) + hull
  const players = attackers.filter(isPlayer)
  const category = categoryOf(victim.ship_type_id)
  const finalBlow = attackers.find((attacker) => attacker.final_blow)
  const verdict = {
    npc: players.length === 0 || (victim.character_id === undefined && (victim.corporation_id ?? 0) <= 1_999_999),
    solo: players.length === 1 && category === 6 && victim.ship_type_id !== capsule.id &&
      hullOf(victim.ship_type_id) !== "tiny",
    awox: victim.character_id !== undefined && (victim.corporation_id ?? 0) > 1_999_999 &&
      finalBlow?.character_id !== undefined && finalBlow.corporation_id === victim.corporation_id
  }
  return {
    ...(victim.position === undefined ? {} : { locationID: 40_000_000 + killmail.solar_system_id % 470_000 }),
    hash,
    fittedValue: cents(hull + total(items.filter(isFitted), quantityOf)),
    droppedValue: cents(dropped),
    destroyedValue: cents(destroyed),
    totalValue: cents(dropped + destroyed),
    totalDroppableValue: cents(total(items, quantityOf)),
    points: Math.max(1, Math.round(Math.log2(1 + hull / 100_000) * 3 / attackers.length)),
    ...verdict,
    labels: labelsOf(killmail, category, verdict, dropped + destroyed),
    attackerCount: attackers.length,
    href: `https://esi.evetech.net/killmails/${killmail.killmail_id}/${hash}/`
  }
}

const labelsOf = (
  killmail: Killmail,
  category: number,
  verdict: { readonly npc: boolean; readonly solo: boolean; readonly awox: boolean },
  value: number
): ReadonlyArray<string> => {
  const hour = Number(normaliseTime(killmail.killmail_time).slice(11, 13))
  const crowd = [1000, 100, 50, 25, 10, 5, 2].find((size) => killmail.attackers.length >= size)
  const size = sizes.find(({ least }) => value >= least)
  const place = placeOf(killmail.solar_system_id)
  return [
    `tz:${hour < 4 || hour > 21 ? "use" : hour < 8 ? "usw" : hour < 14 ? "au" : hour < 17 ? "ru" : "eu"}`,
    `cat:${category}`,
    verdict.solo ? "solo" : crowd === undefined ? "#:1" : `#:${crowd}+`,
    verdict.npc ? "npc" : "pvp",
    ...(verdict.awox ? ["awox"] : []),
    ...(hullOf(killmail.victim.ship_type_id) === "capital" ? ["capital"] : []),
    ...(size === undefined ? [] : [`isk:${size.name}+`]),
    ...(place === undefined ? [] : [`loc:${place}`])
  ]
}

/** Ids up to 3,999,999 are NPC agents. A corporation's structure shoots without a character. */
const isPlayer = ({ character_id, corporation_id }: Attacker): boolean =>
  (character_id ?? 0) > 3_999_999 || (corporation_id ?? 0) > 1_999_999

const quantityOf = (item: Item): number => (item.quantity_destroyed ?? 0) + (item.quantity_dropped ?? 0)

const total = (items: ReadonlyArray<Item>, quantity: (item: Item) => number | undefined): number =>
  // A blueprint copy is worth nothing (singleton 2).
  items.reduce(
    (sum, item) => sum + (quantity(item) ?? 0) * (item.singleton === 2 ? 0.01 : worthOf(item.item_type_id)),
    0
  )

const isFitted = ({ flag }: Item): boolean => (flag >= 11 && flag <= 34) || (flag >= 92 && flag <= 132)

/** EVE's categories: 6 ship, 22 deployable, 23 starbase, 65 structure. */
const categoryOf = (typeId: number): number =>
  ({ deployable: 22, starbase: 23, structure: 65 } as Partial<Record<Hull | "", number>>)[hullOf(typeId) ?? ""] ?? 6

const sizes = [
  { least: 1e12, name: "1t" },
  { least: 1e11, name: "100b" },
  { least: 1e10, name: "10b" },
  { least: 5e9, name: "5b" },
  { least: 1e9, name: "1b" }
]

/** Nothing for a known-space system of a real mail that the gazetteer does not have. */
const placeOf = (systemId: number): string | undefined => {
  if (systemId >= 32_000_000) return "abyssal"
  if (systemId >= 31_000_000) return "w-space"
  return places.get(systemId)
}

const places = new Map(
  (["highsec", "lowsec", "nullsec"] as const).flatMap((space) => systems[space].map(({ id }) => [id, space] as const))
)
