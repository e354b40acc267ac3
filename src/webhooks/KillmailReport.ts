/** A killmail as people are told of it in a channel: who lost what, where, to whom, and what it was worth. Pure. */
import { type KillmailRow, toDocument } from "../domain/Document.ts"
import { type Filter, partyFields } from "../domain/Filter.ts"
import type { StaticFacts } from "../domain/StaticData.ts"

/** What it is to whom the filter names: whoever is on both sides lost. Without anybody named it is neither. */
export type Side = "kill" | "loss" | "neither"

/** Somebody with a page at zKillboard; what has no name yet has its id in its place. */
interface Named {
  readonly name: string
  readonly url: string
}

export interface Involved {
  /** The pilot or, without one, who else it was: a corporation, a faction, an NPC. */
  readonly who: Named
  /** The pilot's corporation, then alliance. */
  readonly of: ReadonlyArray<Named>
  readonly ship: string | undefined
}

export interface KillmailReport {
  readonly side: Side
  readonly title: string
  /** Of the killmail at zKillboard. */
  readonly url: string
  /** Of the killmail at this daemon, where it is known by which address. */
  readonly ownUrl: string | undefined
  readonly shipTypeId: number
  readonly ship: string
  readonly victim: Involved
  readonly finalBlow: Involved | undefined
  readonly involved: number
  /** ISK. */
  readonly value: number | undefined
  readonly system: string
  /** As the game shows it; it and the region are left out where they are not known. */
  readonly security: string | undefined
  readonly region: string | undefined
  readonly marks: ReadonlyArray<string>
  /** As ESI writes it. */
  readonly time: string
  readonly corporationId: number | undefined
}

export interface Telling {
  readonly row: KillmailRow
  readonly names: ReadonlyMap<number, string>
  readonly facts: StaticFacts
  readonly filter: Filter
  readonly publicUrl: URL | undefined
}

const zkillboard = "https://zkillboard.com"

export const reportOf = ({ facts, filter, names, publicUrl, row }: Telling): KillmailReport => {
  const { analysis, victim, ...killmail } = toDocument(row, names)
  const nameOf = (id: number) => names.get(id) ?? `#${id}`
  const named = (kind: string, id: number): Named => ({ name: nameOf(id), url: `${zkillboard}/${kind}/${id}/` })

  const involvedOf = (party: Party): Involved => {
    const ids = [
      ["character", party.character_id],
      ["corporation", party.corporation_id],
      ["alliance", party.alliance_id],
      ["faction", party.faction_id],
      ["ship", party.ship_type_id]
    ] as const
    const known = ids.flatMap(([kind, id]) => id === undefined ? [] : [{ kind, who: named(kind, id) }])
    const [first] = known
    return {
      who: first?.who ?? { name: "nobody", url: `${zkillboard}/kill/${row.killmail_id}/` },
      of: known.slice(1).filter(({ kind }) => kind === "corporation" || kind === "alliance").map(({ who }) => who),
      ship: party.ship_type_id === undefined || first?.kind === "ship" ? undefined : nameOf(party.ship_type_id)
    }
  }

  const place = facts.system(row.solar_system_id)
  const system = nameOf(row.solar_system_id)
  const ship = nameOf(victim.ship_type_id)
  const lost = involvedOf(victim)
  return {
    side: sideOf(filter, row),
    title: `${lost.who.name} lost a ${ship} in ${system}`,
    url: `${zkillboard}/kill/${row.killmail_id}/`,
    ownUrl: publicUrl && new URL(`/api/v1/killmails/${row.killmail_id}`, publicUrl).href,
    shipTypeId: victim.ship_type_id,
    ship,
    victim: lost,
    finalBlow: analysis.final_blow === null ? undefined : involvedOf(analysis.final_blow),
    involved: row.attacker_count,
    value: row.total_value ?? undefined,
    system,
    security: place && shownSecurity(place.security),
    region: place && names.get(place.regionId),
    marks: Object.entries({ solo: row.is_solo, NPC: row.is_npc, awox: row.is_awox })
      .flatMap(([mark, isSo]) => isSo === true ? [mark] : []),
    time: killmail.killmail_time,
    corporationId: victim.corporation_id
  }
}

interface Party {
  readonly character_id?: number | undefined
  readonly corporation_id?: number | undefined
  readonly alliance_id?: number | undefined
  readonly faction_id?: number | undefined
  readonly ship_type_id?: number | undefined
}

/** Ships and their groups are nobody. */
const someone = partyFields.filter((field) => field !== "ship" && field !== "ship_group")

const sideOf = (filter: Filter, row: KillmailRow): Side => {
  const asked = someone.filter((field) => filter[field] !== undefined)
  if (asked.length === 0) return "neither"
  if (filter.role !== undefined && filter.role !== "any") return filter.role === "victim" ? "loss" : "kill"
  return asked.some((field) => filter[field]?.includes(row[`victim_${field}_id`] ?? 0)) ? "loss" : "kill"
}

/** As the game shows it: what is above 0 is 0.1 at the least. */
const shownSecurity = (security: number): string =>
  (security > 0 ? Math.max(0.1, Math.round(security * 10) / 10) : Math.round(security * 10) / 10).toFixed(1)

/** As players write it: 1.23B ISK. */
export const iskOf = (value: number): string =>
  `${new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 }).format(value)} ISK`

/** No longer than so many UTF-16 units, by which the services count, and never half a character. */
export const cut = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, "")}…`

/** https://images.evetech.net, CCP's image server. */
export const renderOf = (typeId: number): string => `https://images.evetech.net/types/${typeId}/render?size=128`
export const logoOf = (corporationId: number): string =>
  `https://images.evetech.net/corporations/${corporationId}/logo?size=64`
