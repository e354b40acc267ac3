/**
 * Many filters, asked at once which of them a killmail fits: each waits under the ids of its most selective field, so that a
 * killmail meets only those that name somebody or something on it. Pure.
 */
import type { Filter } from "./Filter.ts"
import { matches, type Subject } from "./Matching.ts"

/** Fields of ids, the most selective first. */
const fields = [
  "character",
  "corporation",
  "war",
  "location",
  "alliance",
  "system",
  "constellation",
  "ship",
  "ship_group",
  "region",
  "faction"
] as const
type Field = typeof fields[number]

type MaybeId = number | null | undefined

/** What of a killmail a filter's field may name; whose role it is, the filter itself asks. */
const idsOf = (subject: Subject, field: Field): Iterable<MaybeId> => {
  switch (field) {
    case "war":
      return [subject.row.war_id]
    case "location":
      return [subject.row.location_id]
    case "system":
      return [subject.row.solar_system_id]
    case "constellation":
      return [subject.constellation]
    case "region":
      return [subject.region]
    default: {
      const { attackers, victim } = subject[field]
      return attackers.has(victim) ? attackers : [victim, ...attackers]
    }
  }
}

interface Entry<A> {
  readonly value: A
  readonly fits: (subject: Subject) => boolean
  /** Number of the killmail that it was last found to fit, as it may wait under several ids. */
  foundFor: number
}

export interface FilterIndex<A> {
  /** Returns how to take it out. */
  readonly add: (filter: Filter, value: A) => () => void
  /** What was added with a filter that fits. */
  readonly fitting: (subject: Subject) => ReadonlyArray<A>
}

export const make = <A>(): FilterIndex<A> => {
  const byField = new Map(fields.map((field) => [field, new Map<MaybeId, Set<Entry<A>>>()]))
  /** Those that name no id: each is asked of every killmail. */
  const others = new Set<Entry<A>>()
  let asked = 0

  return {
    add: (filter, value) => {
      const entry: Entry<A> = { value, fits: matches(filter), foundFor: 0 }
      const field = fields.find((name) => filter[name] !== undefined)
      if (field === undefined) {
        others.add(entry)
        return () => others.delete(entry)
      }
      const byId = byField.get(field)!
      const ids = new Set(filter[field])
      for (const id of ids) {
        const entries = byId.get(id)
        if (entries === undefined) byId.set(id, new Set([entry]))
        else entries.add(entry)
      }
      return () => {
        for (const id of ids) {
          const entries = byId.get(id)
          if (entries?.delete(entry) === true && entries.size === 0) byId.delete(id)
        }
      }
    },
    fitting: (subject) => {
      const found: Array<A> = []
      asked++
      const ask = (entries: Iterable<Entry<A>>) => {
        for (const entry of entries) {
          if (entry.foundFor === asked || !entry.fits(subject)) continue
          entry.foundFor = asked
          found.push(entry.value)
        }
      }
      ask(others)
      for (const [field, byId] of byField) {
        if (byId.size === 0) continue
        for (const id of idsOf(subject, field)) ask(byId.get(id) ?? [])
      }
      return found
    }
  }
}
