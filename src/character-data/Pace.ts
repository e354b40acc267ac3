/** When a character is asked for next: as soon as ESI allows, but more rarely for whoever is away. Pure; milliseconds. */
import type { KnownAnswers } from "../store/CharacterData.ts"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** Who was not seen here for so long is asked for not more often than that. */
const rests = [
  { unseen: 30 * day, rest: day },
  { unseen: day, rest: hour },
  { unseen: hour, rest: 10 * minute }
]

/**
 * From now on; never before the first of ESI's answers may be another. `ends` are times of what ends by the clock alone: who is
 * away wants to hear of that in time, too.
 */
export const dueIn = (
  { answers, ends, now, scheduleSpeed, unseenMillis }: {
    readonly answers: KnownAnswers
    readonly ends: ReadonlyArray<string>
    readonly now: number
    readonly scheduleSpeed: number
    readonly unseenMillis: number
  }
): number => {
  const fresh = Math.min(...Object.values(answers).map(({ fresh_until }) => fresh_until)) - now
  const rest = (rests.find(({ unseen }) => unseenMillis >= unseen)?.rest ?? 0) / scheduleSpeed
  const untilEnd = ends.map((end) => Date.parse(end) - now).filter((millis) => millis > 0)
  return Math.max(0, fresh, Math.min(rest, ...untilEnd))
}
