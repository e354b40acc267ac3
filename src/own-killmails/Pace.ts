/** How often a list of killmails is read: as often as ESI allows while something happens, more seldom the longer nothing does. */

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/**
 * By the age of the newest killmail. ESI keeps each list for 5 minutes, and allows 15 requests that are answered in as many
 * minutes; three of them are what this takes.
 */
const paces: ReadonlyArray<{ readonly until: number; readonly pace: number }> = [
  { until: day, pace: 5 * minute },
  { until: 7 * day, pace: 15 * minute },
  { until: 30 * day, pace: hour },
  { until: 90 * day, pace: 4 * hour },
  { until: Number.POSITIVE_INFINITY, pace: day }
]

/** Milliseconds until the next reading, before jitter; as often as possible for whoever is preferred. */
export const paceOf = (quietMillis: number, isPreferred: boolean): number =>
  isPreferred ? paces[0]!.pace : paces.find(({ until }) => quietMillis < until)!.pace

/** Where the list cannot be read, or not with this pilot's roles: they may change. */
export const refusedMillis = day

/** After a job that became a dead letter. */
export const failedMillis = hour

/** A killmail may surface days late, and anywhere in the list: once in so long all of it is read. */
export const wholeMillis = day

/** A character's corporation is asked for so often. */
export const placedMillis = day
