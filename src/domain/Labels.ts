/** zKillboard's labels, without `padding` and `ganked`, which need other mails. Pure. */
import type { Flags } from "./Flags.ts"
import type { Isk } from "./Isk.ts"
import type { Killmail } from "./Killmail.ts"
import { securityBandOf } from "./SecurityBand.ts"
import type { StaticFacts, SystemFacts } from "./StaticData.ts"

/** `total` is undefined while the mail is not valued. What the facts do not know gets no label. */
export const labelsOf = (
  killmail: Killmail,
  flags: Flags,
  total: Isk | undefined,
  facts: StaticFacts
): ReadonlyArray<string> => {
  const ship = facts.type(killmail.victim.ship_type_id)
  const system = facts.system(killmail.solar_system_id)
  return [
    timezoneOf(killmail),
    ship && `cat:${ship.categoryId}`,
    flags.solo ? "solo" : highest(attackerBands, killmail.attackers.length),
    flags.npc ? "npc" : "pvp",
    flags.awox && "awox",
    system && placeOf(system),
    total !== undefined && highest(valueBands, total),
    ...warOf(killmail),
    ship?.marketGroupIds.some((group) => capitalMarketGroups.has(group)) && "capital"
  ].filter((label) => typeof label === "string")
}

/** Prime time of whom, by the hour (UTC). */
const timezoneOf = ({ killmail_time }: Killmail): string => {
  const hour = Number(killmail_time.slice(11, 13))
  if (hour >= 4 && hour <= 7) return "tz:usw"
  if (hour >= 8 && hour <= 13) return "tz:au"
  if (hour >= 14 && hour <= 16) return "tz:ru"
  return hour >= 17 && hour <= 21 ? "tz:eu" : "tz:use"
}

type Bands<A> = ReadonlyArray<readonly [least: A, label: string]>

const attackerBands: Bands<number> = [
  [1000, "#:1000+"],
  [100, "#:100+"],
  [50, "#:50+"],
  [25, "#:25+"],
  [10, "#:10+"],
  [5, "#:5+"],
  [2, "#:2+"],
  [1, "#:1"]
]

const billion: Isk = 100_000_000_000n
const valueBands: Bands<Isk> = [
  [1000n * billion, "isk:1t+"],
  [100n * billion, "isk:100b+"],
  [10n * billion, "isk:10b+"],
  [5n * billion, "isk:5b+"],
  [billion, "isk:1b+"]
]

const highest = <A>(bands: Bands<A>, value: A): string | undefined => bands.find(([least]) => value >= least)?.[1]

const zarzakh = 10_001_000
const drifterRegion = 11_000_033

const placeOf = (system: SystemFacts): string => {
  if (system.regionId === zarzakh) return "loc:zarzakh"
  if (system.regionId === drifterRegion) return "loc:drifter"
  const band = securityBandOf(system)
  return band === "wspace" ? "loc:w-space" : `loc:${band}`
}

/** "Capital Ships", and "Faction Dreadnoughts", which hang elsewhere in the market's tree. */
const capitalMarketGroups: ReadonlySet<number> = new Set([1381, 2288])

/** The two wars of the militias, by faction: who wins when this one loses a ship, and the war's name. */
const wars: ReadonlyMap<number, { readonly enemy: number; readonly labels: ReadonlyArray<string> }> = new Map([
  [500_001, { enemy: 500_004, labels: ["fw:gallente", "fw:calgal"] }],
  [500_002, { enemy: 500_003, labels: ["fw:amarr", "fw:amamin"] }],
  [500_003, { enemy: 500_002, labels: ["fw:minmatar", "fw:amamin"] }],
  [500_004, { enemy: 500_001, labels: ["fw:caldari", "fw:calgal"] }]
])

/** Pilots of both sides are on the mail. */
const warOf = ({ attackers, victim }: Killmail): ReadonlyArray<string> => {
  const war = wars.get(victim.faction_id ?? 0)
  if (war === undefined) return []
  const sides = new Set([victim, ...attackers].map(({ character_id, faction_id }) => character_id && faction_id))
  return sides.has(victim.faction_id) && sides.has(war.enemy) ? war.labels : []
}
