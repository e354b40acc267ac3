/** Killmails as rows for COPY: one buffer for each table. Whatever does not fit its column Postgres refuses. */
import type { Appraisal } from "../domain/Judgement.ts"
import { itemRows } from "../domain/Rows.ts"
import { valuationVersion } from "../domain/Valuation.ts"
import { type CopyRows, copyRows } from "./CopyRows.ts"
import type { TableRows } from "./CopyTransactions.ts"
import type { NewKillmail } from "./KillmailStore.ts"
import { pgJson } from "./PgText.ts"

const killmailColumns = `killmail_time, killmail_id, solar_system_id, war_id, moon_id, victim_character_id,
  victim_corporation_id, victim_alliance_id, victim_faction_id, victim_ship_type_id, victim_damage_taken, x, y, z,
  location_id, attacker_count, destroyed_value, dropped_value, fitted_value, total_value, unpriced_items,
  valuation_version, points, is_npc, is_solo, is_awox, labels, zkb`
const attackerColumns = `killmail_time, killmail_id, ordinal, character_id, corporation_id, alliance_id, faction_id,
  ship_type_id, weapon_type_id, damage_done, final_blow, security_status`
const itemColumns =
  `killmail_time, killmail_id, ordinal, parent_ordinal, item_type_id, flag, singleton, quantity_dropped,
  quantity_destroyed`
const ledgerColumns = "killmail_id, killmail_time, hash, source, heard_at"

/** Bytes of most rows, for a buffer that need not grow. */
const [killmailBytes, attackerBytes, itemBytes, ledgerBytes] = [600, 110, 85, 90]

/** Of `killmails`, `attackers` and `items`. */
export const bodyRows = (mails: ReadonlyArray<NewKillmail>): ReadonlyArray<TableRows> => {
  const killmails = copyRows(mails.length * killmailBytes)
  const attackers = copyRows(mails.length * 6 * attackerBytes)
  const items = copyRows(mails.length * 18 * itemBytes)
  for (const mail of mails) {
    const time = timeOf(mail)
    writeKillmail(killmails, mail, time)
    writeAttackers(attackers, mail, time)
    writeItems(items, mail, time)
  }
  return [
    { table: "killmails", columns: killmailColumns, rows: killmails.end() },
    { table: "attackers", columns: attackerColumns, rows: attackers.end() },
    { table: "items", columns: itemColumns, rows: items.end() }
  ]
}

/** Of `killmail_ledger`, without a sequence: to be copied last, as the ledger's row is what others wait for. */
export const ledgerRows = (mails: ReadonlyArray<NewKillmail>): TableRows => {
  const ledger = copyRows(mails.length * ledgerBytes)
  for (const mail of mails) writeLedger(ledger, mail, timeOf(mail))
  return { table: "killmail_ledger", columns: ledgerColumns, rows: ledger.end() }
}

/** In milliseconds since 1970. */
const timeOf = ({ killmail }: NewKillmail): number => Date.parse(killmail.killmail_time.slice(0, 19) + "Z")

const writeKillmail = (rows: CopyRows, { appraisal, killmail, zkb }: NewKillmail, time: number): void => {
  const { victim } = killmail
  rows.row(28)
  rows.time(time)
  rows.int8(killmail.killmail_id)
  rows.int4(killmail.solar_system_id)
  rows.int8(killmail.war_id)
  rows.int8(killmail.moon_id)
  rows.int8(victim.character_id)
  rows.int8(victim.corporation_id)
  rows.int8(victim.alliance_id)
  rows.int8(victim.faction_id)
  rows.int4(victim.ship_type_id)
  rows.int8(victim.damage_taken)
  rows.float8(victim.position?.x)
  rows.float8(victim.position?.y)
  rows.float8(victim.position?.z)
  rows.int8(appraisal?.locationId)
  rows.int4(killmail.attackers.length)
  writeAppraisal(rows, appraisal)
  rows.jsonb(zkb === undefined ? undefined : pgJson(zkb))
}

const writeAppraisal = (rows: CopyRows, appraisal: Appraisal | undefined): void => {
  const valuation = appraisal?.valuation
  rows.isk(valuation?.destroyed)
  rows.isk(valuation?.dropped)
  rows.isk(valuation?.fitted)
  rows.isk(valuation?.total)
  rows.int4(valuation?.unpriced_items)
  rows.int4(appraisal === undefined || appraisal.isProvisional ? null : valuationVersion)
  rows.int4(appraisal?.points)
  rows.boolean(appraisal?.npc)
  rows.boolean(appraisal?.solo)
  rows.boolean(appraisal?.awox)
  rows.texts(appraisal?.labels)
}

const writeAttackers = (rows: CopyRows, { killmail }: NewKillmail, time: number): void => {
  for (const [ordinal, attacker] of killmail.attackers.entries()) {
    rows.row(12)
    rows.time(time)
    rows.int8(killmail.killmail_id)
    rows.int4(ordinal)
    rows.int8(attacker.character_id)
    rows.int8(attacker.corporation_id)
    rows.int8(attacker.alliance_id)
    rows.int8(attacker.faction_id)
    rows.int4(attacker.ship_type_id)
    rows.int4(attacker.weapon_type_id)
    rows.int8(attacker.damage_done)
    rows.boolean(attacker.final_blow)
    rows.float8(attacker.security_status)
  }
}

const writeItems = (rows: CopyRows, { killmail }: NewKillmail, time: number): void => {
  for (const item of itemRows(killmail.victim.items ?? [])) {
    rows.row(9)
    rows.time(time)
    rows.int8(killmail.killmail_id)
    rows.int4(item.ordinal)
    rows.int4(item.parent_ordinal)
    rows.int4(item.item_type_id)
    rows.int4(item.flag)
    rows.int4(item.singleton)
    rows.int8(item.quantity_dropped)
    rows.int8(item.quantity_destroyed)
  }
}

const writeLedger = (rows: CopyRows, { hash, heardAt, killmail, source }: NewKillmail, time: number): void => {
  rows.row(5)
  rows.int8(killmail.killmail_id)
  rows.time(time)
  rows.bytes(Buffer.from(hash, "hex"))
  rows.text(source)
  rows.time(heardAt.getTime())
}
