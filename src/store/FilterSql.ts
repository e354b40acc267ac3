/**
 * A filter as SQL over `killmails mail`. `domain/Matching.ts` asks the same of a killmail at hand; a test holds the two to the
 * same answer.
 */
import type { SqlClient, Statement } from "effect/sql"
import { type Filter, partyFields, type Role } from "../domain/Filter.ts"
import { pgArray } from "./PgArray.ts"

type Condition = Statement.Fragment
type PartyField = typeof partyFields[number]

/** Times from `first` up to, not including, `last`: months outside of them are not even planned for. */
export interface Span {
  readonly first: string
  readonly last: string
}

/** What a month has an index of, newest first; of ids as many as there are, the most selective first. */
const drivers = ["character", "corporation", "alliance", "ship", "system"] as const
export type Driver = typeof drivers[number]

/** A way to the killmails that fit: the table that it begins from, and what is asked there. */
export interface Path {
  readonly from: "killmails" | "attackers"
  /** Of `attackers part`. */
  readonly ofAttackers: ReadonlyArray<Condition>
  /** Of `killmails mail`. */
  readonly ofKillmail: ReadonlyArray<Condition>
}

/** Column of the victim, and of an attacker. */
const columns: Readonly<Record<PartyField, { readonly victim: string; readonly attacker: string }>> = {
  character: { victim: "victim_character_id", attacker: "character_id" },
  corporation: { victim: "victim_corporation_id", attacker: "corporation_id" },
  alliance: { victim: "victim_alliance_id", attacker: "alliance_id" },
  faction: { victim: "victim_faction_id", attacker: "faction_id" },
  ship: { victim: "victim_ship_type_id", attacker: "ship_type_id" },
  ship_group: { victim: "victim_ship_type_id", attacker: "ship_type_id" }
}

/** As `securityBandOf`, over `solar_systems`. */
const securityBand = `case
        when region_id = 10000070 then 'pochven'
        when region_id >= 11000000 and region_id < 12000000 then 'wspace'
        when region_id >= 12000000 and region_id < 13000000 then 'abyssal'
        when security >= 0.45 then 'highsec'
        when security > 0 then 'lowsec'
        else 'nullsec'
      end`

const idsIn = (sql: SqlClient.SqlClient, column: string, ids: ReadonlyArray<number>): Condition =>
  sql`${sql.literal(column)} = any(${pgArray(ids)}::bigint[])`

const partyIn = (sql: SqlClient.SqlClient, field: PartyField, column: string, ids: ReadonlyArray<number>): Condition =>
  field === "ship_group"
    ? sql`${sql.literal(column)} in (select type_id from types where ${idsIn(sql, "group_id", ids)})`
    : idsIn(sql, column, ids)

export const inSpan = (sql: SqlClient.SqlClient, column: string, { first, last }: Span): Condition =>
  sql`${sql.literal(column)} >= ${first}::timestamptz and ${sql.literal(column)} < ${last}::timestamptz`

const partyCondition = (
  sql: SqlClient.SqlClient,
  field: PartyField,
  ids: ReadonlyArray<number>,
  role: Role,
  span: Span
) => {
  const victim = partyIn(sql, field, `mail.${columns[field].victim}`, ids)
  // A subquery of its own, not an exists: that would become a join that reads all attackers there are.
  const attacker = sql`(
    select true
    from attackers part
    where part.killmail_time = mail.killmail_time
      and part.killmail_id = mail.killmail_id
      and ${inSpan(sql, "part.killmail_time", span)}
      and ${partyIn(sql, field, `part.${columns[field].attacker}`, ids)}
    limit 1
  )`
  if (role === "victim") return victim
  return role === "attacker" ? attacker : sql`(${victim} or ${attacker})`
}

/** Everything that the filter says of killmails of a span, each for itself; a driver is left out. */
export const conditionsOf = (
  sql: SqlClient.SqlClient,
  filter: Filter,
  span: Span,
  driver?: Driver
): ReadonlyArray<Condition> => {
  const conditions: Array<Condition> = []
  const when = <A>(value: A | undefined, conditionOf: (value: A) => Condition) => {
    if (value !== undefined) conditions.push(conditionOf(value))
  }
  const inSystems = (column: string) => (ids: ReadonlyArray<number>) =>
    sql`mail.solar_system_id in (select solar_system_id from solar_systems where ${idsIn(sql, column, ids)})`

  for (const field of partyFields) {
    if (field !== driver) when(filter[field], (ids) => partyCondition(sql, field, ids, filter.role ?? "any", span))
  }
  if (driver !== "system") when(filter.system, (ids) => idsIn(sql, "mail.solar_system_id", ids))
  when(filter.constellation, inSystems("constellation_id"))
  when(filter.region, inSystems("region_id"))
  when(filter.location, (ids) => idsIn(sql, "mail.location_id", ids))
  when(filter.war, (ids) => idsIn(sql, "mail.war_id", ids))
  when(filter.security, (wanted) =>
    sql`mail.solar_system_id in (
      select solar_system_id
      from solar_systems
      where ${sql.literal(securityBand)} = any(${pgArray(wanted)}::text[])
    )`)
  when(filter.label, (labels) => sql`mail.labels && ${pgArray(labels)}::text[]`)
  when(filter.min_value, (isk) => sql`mail.total_value >= ${String(isk)}::numeric`)
  when(filter.max_value, (isk) => sql`mail.total_value <= ${String(isk)}::numeric`)
  when(filter.min_attackers, (count) => sql`mail.attacker_count >= ${count}::integer`)
  when(filter.max_attackers, (count) => sql`mail.attacker_count <= ${count}::integer`)
  when(filter.npc, (npc) => sql`mail.is_npc = ${npc}`)
  when(filter.solo, (solo) => sql`mail.is_solo = ${solo}`)
  when(filter.awox, (awox) => sql`mail.is_awox = ${awox}`)
  when(filter.since, (since) => sql`mail.killmail_time >= ${instantOf(since)}::timestamptz`)
  when(filter.until, (until) => sql`mail.killmail_time < ${instantOf(until)}::timestamptz`)
  when(filter.near, ([x, y, z]) => {
    const within = filter.within!
    // The box first: what is in it cannot overflow when squared.
    return sql`case
      when abs(mail.x - ${x}::float8) <= ${within}::float8
        and abs(mail.y - ${y}::float8) <= ${within}::float8
        and abs(mail.z - ${z}::float8) <= ${within}::float8
      then (mail.x - ${x}::float8) * (mail.x - ${x}::float8) + (mail.y - ${y}::float8) * (mail.y - ${y}::float8)
        + (mail.z - ${z}::float8) * (mail.z - ${z}::float8) <= ${within}::float8 * ${within}::float8
    end`
  })
  return conditions
}

/** A day begins at midnight UTC, whatever the session's zone. */
export const instantOf = (moment: string): string => moment.length === 10 ? `${moment}T00:00:00Z` : moment

/**
 * The ways that together lead to all that fits: a killmail may be met on both. Without a field that an index serves there is
 * one, through all of them.
 */
export const pathsOf = (
  sql: SqlClient.SqlClient,
  filter: Filter,
  span: Span,
  driver: Driver | undefined
): ReadonlyArray<Path> => {
  const ofKillmail = conditionsOf(sql, filter, span, driver)
  if (driver === undefined) return [{ from: "killmails", ofAttackers: [], ofKillmail }]
  const ids = filter[driver]!
  const isOneOf = (column: string): Condition =>
    ids.length === 1 ? sql`${sql.literal(column)} = ${BigInt(ids[0]!)}` : idsIn(sql, column, ids)
  if (driver === "system") {
    return [{ from: "killmails", ofAttackers: [], ofKillmail: [isOneOf("mail.solar_system_id"), ...ofKillmail] }]
  }
  const { attacker, victim } = columns[driver]
  const losses: Path = { from: "killmails", ofAttackers: [], ofKillmail: [isOneOf(`mail.${victim}`), ...ofKillmail] }
  const kills: Path = { from: "attackers", ofAttackers: [isOneOf(`part.${attacker}`)], ofKillmail }
  return filter.role === "victim" ? [losses] : filter.role === "attacker" ? [kills] : [losses, kills]
}

/** The fields of the filter that an index of each month serves newest first. */
export const driversOf = (filter: Filter): ReadonlyArray<Driver> =>
  drivers.filter((field) => filter[field] !== undefined)
