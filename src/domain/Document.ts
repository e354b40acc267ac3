/** A killmail as killmaild shows it: ESI's body, field for field, and what killmaild knows besides. Pure. */
import { type Analysis, analysisOf } from "./Analysis.ts"
import type { Attacker, Killmail } from "./Killmail.ts"
import { normaliseTime } from "./Killmail.ts"
import { assembleItems, type ItemRow } from "./Rows.ts"

/** The stored rows of one killmail; an absent value is null. ISK values are numbers. */
export interface KillmailRow {
  readonly killmail_id: number
  readonly killmail_time: string
  readonly solar_system_id: number
  readonly war_id: number | null
  readonly moon_id: number | null
  readonly victim_character_id: number | null
  readonly victim_corporation_id: number | null
  readonly victim_alliance_id: number | null
  readonly victim_faction_id: number | null
  readonly victim_ship_type_id: number
  readonly victim_damage_taken: number
  readonly x: number | null
  readonly y: number | null
  readonly z: number | null
  /** The celestial, gate or station next to it. */
  readonly location_id: number | null
  readonly destroyed_value: number | null
  readonly dropped_value: number | null
  readonly fitted_value: number | null
  readonly total_value: number | null
  readonly unpriced_items: number | null
  readonly points: number | null
  readonly is_npc: boolean | null
  readonly is_solo: boolean | null
  readonly is_awox: boolean | null
  readonly labels: ReadonlyArray<string> | null
  readonly hash: string
  readonly sequence: number | null
  /** Every row, NPCs too, however many of them were read. */
  readonly attacker_count: number
  readonly attackers: ReadonlyArray<Nullable<Attacker>>
  readonly items: ReadonlyArray<ItemRow>
}

type Nullable<T> = { readonly [K in keyof T]: T[K] | null }

/** What `GET /api/v1/killmails/{id}` answers. Values, flags and points are null until they are computed. */
export interface KillmailDocument extends Killmail {
  readonly hash: string
  readonly sequence: number | null
  readonly value: {
    readonly destroyed: number
    readonly dropped: number
    readonly fitted: number
    readonly total: number
    readonly unpriced_items: number
  } | null
  readonly points: number | null
  readonly npc: boolean | null
  readonly solo: boolean | null
  readonly awox: boolean | null
  readonly labels: ReadonlyArray<string> | null
  readonly analysis: Analysis
  /** From id to name, for every id of the killmail whose name is known. */
  readonly names: Readonly<Record<string, string>>
}

/** Leaves out what is null, as ESI leaves out what it does not have. */
const present = <T extends object>(fields: Nullable<T>): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as T

/** The body as ESI gives it; a mail without items gets an empty list. */
export const toEsi = (row: KillmailRow): Killmail =>
  present<Killmail>({
    killmail_id: row.killmail_id,
    killmail_time: normaliseTime(row.killmail_time),
    solar_system_id: row.solar_system_id,
    moon_id: row.moon_id,
    war_id: row.war_id,
    victim: present<Killmail["victim"]>({
      character_id: row.victim_character_id,
      corporation_id: row.victim_corporation_id,
      alliance_id: row.victim_alliance_id,
      faction_id: row.victim_faction_id,
      ship_type_id: row.victim_ship_type_id,
      damage_taken: row.victim_damage_taken,
      position: row.x === null || row.y === null || row.z === null ? null : { x: row.x, y: row.y, z: row.z },
      items: assembleItems(row.items)
    }),
    attackers: row.attackers.map((attacker) => present<Attacker>(attacker))
  })

/** Everything in a killmail that may have a name. */
export const idsOf = (row: KillmailRow): ReadonlySet<number> =>
  new Set(
    [
      row.solar_system_id,
      row.moon_id,
      row.victim_character_id,
      row.victim_corporation_id,
      row.victim_alliance_id,
      row.victim_faction_id,
      row.victim_ship_type_id,
      ...row.attackers.flatMap((attacker) => [
        attacker.character_id,
        attacker.corporation_id,
        attacker.alliance_id,
        attacker.faction_id,
        attacker.ship_type_id,
        attacker.weapon_type_id
      ]),
      ...row.items.map((item) => item.item_type_id)
    ].filter((id) => id !== null && id !== undefined)
  )

/** `names` may know more than this killmail's. */
export const toDocument = (row: KillmailRow, names: ReadonlyMap<number, string>): KillmailDocument => {
  const killmail = toEsi(row)
  return {
    ...killmail,
    hash: row.hash,
    sequence: row.sequence,
    value: row.total_value === null ? null : {
      destroyed: row.destroyed_value ?? 0,
      dropped: row.dropped_value ?? 0,
      fitted: row.fitted_value ?? 0,
      total: row.total_value,
      unpriced_items: row.unpriced_items ?? 0
    },
    points: row.points,
    npc: row.is_npc,
    solo: row.is_solo,
    awox: row.is_awox,
    labels: row.labels,
    analysis: analysisOf(killmail),
    names: Object.fromEntries([...idsOf(row)].flatMap((id) => {
      const name = names.get(id)
      return name === undefined ? [] : [[id, name]]
    }))
  }
}
