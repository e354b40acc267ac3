/** A killmail as lists show it, in JSON or as a row of a table. Pure. */
import { idsOf, type KillmailDocument, type KillmailRow, toDocument } from "./Document.ts"
import type { Attacker } from "./Killmail.ts"

/** What a list leaves out unless it is asked for. */
export interface Included {
  readonly items: boolean
  readonly attackers: boolean
}

/** As `KillmailDocument`, without items, attackers and who did how much of the damage. */
export interface KillmailSummary extends Omit<KillmailDocument, "analysis" | "attackers"> {
  readonly attackers?: ReadonlyArray<Attacker>
  readonly attacker_count: number
  readonly final_blow: Attacker | null
}

/** Nothing but what is shown: nothing else wants a name. */
const shownOf = (row: KillmailRow, { attackers, items }: Included): KillmailRow => ({
  ...row,
  attackers: attackers ? row.attackers : row.attackers.filter(({ final_blow }) => final_blow),
  items: items ? row.items : []
})

/** Everything shown that may have a name. */
export const shownIds = (row: KillmailRow, included: Included): ReadonlySet<number> => idsOf(shownOf(row, included))

/** `names` may know more than this killmail's. */
export const toSummary = (
  row: KillmailRow,
  included: Included,
  names: ReadonlyMap<number, string>
): KillmailSummary => {
  const { analysis, attackers, victim: { items, ...victim }, ...rest } = toDocument(shownOf(row, included), names)
  return {
    ...rest,
    victim: included.items && items !== undefined ? { ...victim, items } : victim,
    ...(included.attackers ? { attackers } : {}),
    attacker_count: row.attacker_count,
    final_blow: analysis.final_blow
  }
}

type Cell = string | number | boolean | null | undefined
type Column = (summary: KillmailSummary, nameOf: (id: number | undefined) => string | undefined) => Cell

const columns: Readonly<Record<string, Column>> = {
  killmail_id: ({ killmail_id }) => killmail_id,
  killmail_time: ({ killmail_time }) => killmail_time,
  hash: ({ hash }) => hash,
  sequence: ({ sequence }) => sequence,
  solar_system_id: ({ solar_system_id }) => solar_system_id,
  solar_system: ({ solar_system_id }, nameOf) => nameOf(solar_system_id),
  war_id: ({ war_id }) => war_id,
  ship_type_id: ({ victim }) => victim.ship_type_id,
  ship: ({ victim }, nameOf) => nameOf(victim.ship_type_id),
  character_id: ({ victim }) => victim.character_id,
  character: ({ victim }, nameOf) => nameOf(victim.character_id),
  corporation_id: ({ victim }) => victim.corporation_id,
  corporation: ({ victim }, nameOf) => nameOf(victim.corporation_id),
  alliance_id: ({ victim }) => victim.alliance_id,
  alliance: ({ victim }, nameOf) => nameOf(victim.alliance_id),
  faction_id: ({ victim }) => victim.faction_id,
  damage_taken: ({ victim }) => victim.damage_taken,
  attacker_count: ({ attacker_count }) => attacker_count,
  final_blow_character_id: ({ final_blow }) => final_blow?.character_id,
  final_blow_character: ({ final_blow }, nameOf) => nameOf(final_blow?.character_id),
  final_blow_corporation_id: ({ final_blow }) => final_blow?.corporation_id,
  final_blow_alliance_id: ({ final_blow }) => final_blow?.alliance_id,
  final_blow_ship_type_id: ({ final_blow }) => final_blow?.ship_type_id,
  destroyed_value: ({ value }) => value?.destroyed,
  dropped_value: ({ value }) => value?.dropped,
  fitted_value: ({ value }) => value?.fitted,
  total_value: ({ value }) => value?.total,
  points: ({ points }) => points,
  npc: ({ npc }) => npc,
  solo: ({ solo }) => solo,
  awox: ({ awox }) => awox,
  labels: ({ labels }) => labels?.join(" ")
}

/** The header of a table of killmails; those with `_value` are ISK. */
export const tableColumns: ReadonlyArray<string> = Object.keys(columns)

/** One row of the table; what is not known, or not there, is empty. */
export const toTableRow = (summary: KillmailSummary): Readonly<Record<string, string>> => {
  const nameOf = (id: number | undefined) => id === undefined ? undefined : summary.names[id]
  return Object.fromEntries(
    Object.entries(columns).map(([name, column]) => [name, String(column(summary, nameOf) ?? "")])
  )
}
