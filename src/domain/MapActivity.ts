/** What pilots did on a wormhole map, worked out from the totals that the mapper tells. Pure. */

export const activityCounters = ["passages", "connections", "signatures"] as const
type Counters = { readonly [K in typeof activityCounters[number]]: number }

/** Of one pilot with all characters; the mapper names the one that did most. */
export interface MapActivity extends Counters {
  readonly characterId: number
  readonly corporationId: number | null
  readonly allianceId: number | null
}

/** Totals that were told before, `seenAt` in any unit. */
export interface KnownTotals extends Counters {
  readonly characterId: number
  readonly seenAt: number
}

/**
 * What was done since the totals were known, so that sums over any time are true. `pilots` are the characters of one pilot
 * each; one that is missing there is a pilot alone. A total that fell lost what the mapper forgets after a while, and counts
 * nothing. Whoever is missing in the totals did nothing, and comes back with what they had.
 */
export const activitySince = (
  known: ReadonlyArray<KnownTotals>,
  totals: ReadonlyArray<MapActivity>,
  pilots: ReadonlyArray<ReadonlyArray<number>>
): ReadonlyArray<MapActivity> => {
  const pilotOf = new Map(pilots.flatMap((characters) => characters.map((id) => [id, characters])))
  const knownOf = Map.groupBy(known, ({ characterId }) => characterId)
  return totals.flatMap((total) => {
    const characters = new Set([total.characterId, ...(pilotOf.get(total.characterId) ?? [])])
    const before = lastOf([...characters].flatMap((id) => knownOf.get(id) ?? []))
    const done = (counter: keyof Counters) =>
      Math.max(0, total[counter] - before.reduce((sum, last) => sum + last[counter], 0))
    const activity = {
      ...total,
      passages: done("passages"),
      connections: done("connections"),
      signatures: done("signatures")
    }
    return activityCounters.some((counter) => activity[counter] > 0) ? [activity] : []
  })
}

/** One total, whichever character it was told under last; several where characters of several pilots became one's. */
const lastOf = (known: ReadonlyArray<KnownTotals>): ReadonlyArray<KnownTotals> => {
  const last = Math.max(...known.map(({ seenAt }) => seenAt))
  return known.filter(({ seenAt }) => seenAt === last)
}
