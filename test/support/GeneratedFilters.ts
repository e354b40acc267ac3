/** Filters and killmails that meet: both are made of the same small pools of ids. */
import { Result } from "effect"
import { type Filter, readFilter } from "../../src/domain/Filter.ts"
import type { Attacker, Killmail } from "../../src/domain/Killmail.ts"
import { securityBands } from "../../src/domain/SecurityBand.ts"
import type { StaticFacts, SystemFacts, TypeFacts } from "../../src/domain/StaticData.ts"
import { type Random, randomOf } from "../../src/sandbox/Random.ts"
import { mailOf } from "./Mails.ts"

/** Small pools, so that filters and killmails meet. One id of each is unknown to the static data. */
const characters = [2_122_000_001, 2_122_000_002, 5_000_000_003]
const corporations = [98_000_001, 98_000_002, 1_000_125]
const alliances = [99_000_001, 99_000_002]
const factions = [500_001, 500_002]
export const ships = [587, 588, 11_567, 99_999]
export const groups = [25, 26, 30]
export const systems: ReadonlyArray<SystemFacts> = [
  [30_000_142, 20_000_020, 10_000_002, 0.45],
  [30_000_001, 20_000_001, 10_000_001, 0.4499],
  [30_000_002, 20_000_001, 10_000_001, 0.0001],
  [30_000_003, 20_000_002, 10_000_001, 0],
  [30_000_004, 20_000_003, 10_000_070, 0.9],
  [31_000_001, 21_000_001, 11_000_001, -0.99],
  [32_000_001, 22_000_001, 12_000_001, 0.2]
].map(([systemId, constellationId, regionId, security]) => ({
  systemId: systemId!,
  name: `S${systemId}`,
  constellationId: constellationId!,
  regionId: regionId!,
  security: security!
}))
const systemIds = [...systems.map(({ systemId }) => systemId), 30_009_999]
export const labels = ["loc:nullsec", "isk:1b+", "pvp"]
export const isk = [0, 0.01, 1_000_000, 1e9, 123_456_789_012.34]
export const places = [40_000_001, 40_000_002]
/** Around the ends of months, lately and long ago. */
const days = [
  "2009-03-31T23:59:59Z",
  "2009-04-01T00:00:00Z",
  "2012-07-15T12:00:00Z",
  "2015-12-31T23:59:59Z",
  "2025-12-31T23:59:59Z",
  "2026-01-01T00:00:00Z",
  "2026-01-15T12:00:00Z",
  "2026-02-01T00:00:00Z"
]

export const facts: StaticFacts = {
  type: (typeId) => {
    const at = ships.indexOf(typeId)
    return groups[at] === undefined ? undefined : { typeId, groupId: groups[at] } as TypeFacts
  },
  system: (systemId) => systems.find((system) => system.systemId === systemId)
}

export const generatedMail = (k: number): Killmail => {
  const random = randomOf("filters", "mail", k)
  const base = mailOf("filters", k)
  const some = <A>(from: ReadonlyArray<A>): A | undefined => random.chance(0.7) ? random.pick(from) : undefined
  const party = () =>
    Object.fromEntries(
      Object.entries({
        character_id: some(characters),
        corporation_id: some(corporations),
        alliance_id: some(alliances),
        faction_id: some(factions)
      }).filter(([, id]) => id !== undefined)
    )
  const ship = some(ships)
  return {
    killmail_id: base.killmail_id,
    killmail_time: random.pick(days),
    solar_system_id: random.pick(systemIds),
    ...(random.chance(0.3) ? { war_id: random.whole(1, 2) } : {}),
    victim: {
      ...party(),
      ship_type_id: random.pick(ships),
      damage_taken: 1,
      ...(random.chance(0.8) ? { position: { x: random.whole(-3, 3), y: random.whole(-3, 3), z: 0 } } : {}),
      items: []
    },
    attackers: Array.from({ length: random.whole(0, 4) }, (_, at): Attacker => ({
      ...party(),
      ...(ship === undefined ? {} : { ship_type_id: ship }),
      damage_done: 1,
      final_blow: at === 0,
      security_status: 0
    }))
  }
}

const someOf = <A>(random: Random, from: ReadonlyArray<A>): ReadonlyArray<A> =>
  Array.from({ length: random.whole(1, 3) }, () => random.pick(from))

/** One to four fields with values of the pools, and of nowhere. */
export const generatedFilter = (k: number): Filter => {
  const random = randomOf("filters", "filter", k)
  const values: Readonly<Record<string, () => unknown>> = {
    character: () => someOf(random, [...characters, 1]),
    corporation: () => someOf(random, corporations),
    alliance: () => someOf(random, alliances),
    faction: () => someOf(random, factions),
    ship: () => someOf(random, ships),
    ship_group: () => someOf(random, groups),
    system: () => someOf(random, systemIds),
    constellation: () => someOf(random, systems.map(({ constellationId }) => constellationId)),
    region: () => someOf(random, systems.map(({ regionId }) => regionId)),
    location: () => someOf(random, places),
    security: () => someOf(random, securityBands),
    war: () => someOf(random, [1, 2, 9_000_000_000]),
    label: () => someOf(random, [...labels, "it's {\"}"]),
    min_value: () => random.pick(isk),
    max_value: () => random.pick(isk),
    min_attackers: () => random.whole(0, 4),
    max_attackers: () => random.whole(0, 4),
    npc: () => random.chance(0.5),
    solo: () => random.chance(0.5),
    awox: () => random.chance(0.5),
    since: () => random.pick([...days, "2026-01-01"]),
    until: () => random.pick([...days, "2026-02-01"])
  }
  const chosen = Array.from({ length: random.whole(0, 4) }, () => random.pick(Object.keys(values)))
  const filter = {
    ...Object.fromEntries(chosen.map((name) => [name, values[name]!()])),
    ...(random.chance(0.5) ? { role: random.pick(["any", "victim", "attacker"]) } : {}),
    ...(random.chance(0.1)
      ? { system: [random.pick(systemIds)], near: [random.whole(-3, 3), 1, 0], within: random.whole(0, 4) }
      : {})
  }
  return Result.getOrElse(readFilter(filter), () => ({}))
}
