/** What killmaild knows of a killmail in zKillboard's words, for bots that were written for zKillboard's feeds. Pure. */
import type { KillmailRow } from "./Document.ts"

/** The `zkb` block. ISK; these feeds know no "not known yet", so what is not valued is 0. */
export interface Zkb {
  readonly locationID?: number
  readonly hash: string
  readonly fittedValue: number
  readonly droppedValue: number
  readonly destroyedValue: number
  readonly totalValue: number
  readonly points: number
  readonly npc: boolean
  readonly solo: boolean
  readonly awox: boolean
  readonly labels: ReadonlyArray<string>
  readonly attackerCount: number
  /** The body at ESI. */
  readonly href: string
}

export const toZkb = (row: KillmailRow): Zkb => ({
  ...(row.location_id === null ? {} : { locationID: row.location_id }),
  hash: row.hash,
  fittedValue: row.fitted_value ?? 0,
  droppedValue: row.dropped_value ?? 0,
  destroyedValue: row.destroyed_value ?? 0,
  totalValue: row.total_value ?? 0,
  points: row.points ?? 0,
  npc: row.is_npc ?? false,
  solo: row.is_solo ?? false,
  awox: row.is_awox ?? false,
  labels: row.labels ?? [],
  attackerCount: row.attackers.length,
  href: `https://esi.evetech.net/killmails/${row.killmail_id}/${row.hash}/`
})
