/** Whether a killmail fits a filter. Pure; `store/FilterSql.ts` asks the same of the tables. */
import type { KillmailRow } from "./Document.ts"
import { type Filter, partyFields } from "./Filter.ts"
import { type SecurityBand, securityBandOf } from "./SecurityBand.ts"
import type { StaticFacts } from "./StaticData.ts"

/** Ids of one kind on a killmail. */
interface Party {
  readonly victim: number | null | undefined
  readonly attackers: ReadonlySet<number | null | undefined>
}

type PartyField = typeof partyFields[number]

/** A killmail as filters ask of it: worked out once, then asked by each. */
export interface Subject extends Readonly<Record<PartyField, Party>> {
  readonly row: KillmailRow
  readonly constellation: number | undefined
  readonly region: number | undefined
  readonly security: SecurityBand | undefined
  /** Milliseconds since 1970. */
  readonly time: number
}

/** Types and systems that the facts have to know. */
export const factIdsOf = (
  row: KillmailRow
): { readonly typeIds: Array<number>; readonly systemIds: Array<number> } => ({
  typeIds: [row.victim_ship_type_id, ...row.attackers.flatMap(({ ship_type_id }) => ship_type_id ?? [])],
  systemIds: [row.solar_system_id]
})

/** What the facts do not know fits no `ship_group`, `constellation`, `region` or `security`. */
export const subjectOf = (row: KillmailRow, facts: StaticFacts): Subject => {
  const system = facts.system(row.solar_system_id)
  const groupOf = (typeId: number | null | undefined) => facts.type(typeId ?? 0)?.groupId
  const { attackers } = row
  return {
    row,
    character: {
      victim: row.victim_character_id,
      attackers: new Set(attackers.map(({ character_id }) => character_id))
    },
    corporation: {
      victim: row.victim_corporation_id,
      attackers: new Set(attackers.map(({ corporation_id }) => corporation_id))
    },
    alliance: {
      victim: row.victim_alliance_id,
      attackers: new Set(attackers.map(({ alliance_id }) => alliance_id))
    },
    faction: { victim: row.victim_faction_id, attackers: new Set(attackers.map(({ faction_id }) => faction_id)) },
    ship: { victim: row.victim_ship_type_id, attackers: new Set(attackers.map(({ ship_type_id }) => ship_type_id)) },
    ship_group: {
      victim: groupOf(row.victim_ship_type_id),
      attackers: new Set(attackers.map(({ ship_type_id }) => groupOf(ship_type_id)))
    },
    constellation: system?.constellationId,
    region: system?.regionId,
    security: system && securityBandOf(system),
    time: Date.parse(row.killmail_time)
  }
}

type Test = (subject: Subject) => boolean

/** Read once, asked often: what a filter does not say costs nothing. */
export const matches = (filter: Filter): Test => {
  const tests = testsOf(filter)
  return (subject) => tests.every((test) => test(subject))
}

/** The cheapest first. */
const testsOf = (filter: Filter): ReadonlyArray<Test> => {
  const tests: Array<Test> = []
  const when = <A>(value: A | undefined, testOf: (value: A) => Test) => {
    if (value !== undefined) tests.push(testOf(value))
  }
  const oneOf = <A>(values: ReadonlyArray<A> | undefined, of: (subject: Subject) => A | null | undefined) =>
    when(values, (wanted) => {
      const set: ReadonlySet<A | null | undefined> = new Set(wanted)
      return (subject) => set.has(of(subject))
    })
  const atLeast = (least: number | undefined, of: (subject: Subject) => number | null) =>
    when(least, (bound) => (subject) => {
      const value = of(subject)
      return value !== null && value >= bound
    })
  const atMost = (most: number | undefined, of: (subject: Subject) => number | null) =>
    when(most, (bound) => (subject) => {
      const value = of(subject)
      return value !== null && value <= bound
    })

  when(filter.npc, (npc) => ({ row }) => row.is_npc === npc)
  when(filter.solo, (solo) => ({ row }) => row.is_solo === solo)
  when(filter.awox, (awox) => ({ row }) => row.is_awox === awox)
  atLeast(filter.min_value, ({ row }) => row.total_value)
  atMost(filter.max_value, ({ row }) => row.total_value)
  atLeast(filter.min_attackers, ({ row }) => row.attackers.length)
  atMost(filter.max_attackers, ({ row }) => row.attackers.length)
  when(filter.since, (since) => {
    const start = Date.parse(since)
    return ({ time }) => time >= start
  })
  when(filter.until, (until) => {
    const end = Date.parse(until)
    return ({ time }) => time < end
  })
  oneOf(filter.system, ({ row }) => row.solar_system_id)
  oneOf(filter.constellation, ({ constellation }) => constellation)
  oneOf(filter.region, ({ region }) => region)
  oneOf(filter.security, ({ security }) => security)
  oneOf(filter.location, ({ row }) => row.location_id)
  oneOf(filter.war, ({ row }) => row.war_id)
  for (const field of partyFields) when(filter[field], (ids) => partyTest(field, ids, filter.role ?? "any"))
  when(filter.label, (labels) => ({ row }) => labels.some((label) => row.labels?.includes(label)))
  when(filter.near, ([x, y, z]) => ({ row }) =>
    row.x !== null && row.y !== null && row.z !== null &&
    (row.x - x) * (row.x - x) + (row.y - y) * (row.y - y) + (row.z - z) * (row.z - z) <=
      filter.within! * filter.within!)
  return tests
}

const partyTest = (field: PartyField, ids: ReadonlyArray<number>, role: NonNullable<Filter["role"]>): Test => {
  const set: ReadonlySet<number | null | undefined> = new Set(ids)
  const isVictim: Test = (subject) => set.has(subject[field].victim)
  const isAttacker: Test = (subject) => {
    const { attackers } = subject[field]
    return ids.length < attackers.size ? ids.some((id) => attackers.has(id)) : !set.isDisjointFrom(attackers)
  }
  if (role === "victim") return isVictim
  return role === "attacker" ? isAttacker : (subject) => isVictim(subject) || isAttacker(subject)
}
