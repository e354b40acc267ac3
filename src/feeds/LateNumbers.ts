/**
 * Numbers that a feed gives out before their entries can be seen: one may appear after a later one. So a cursor waits before a
 * number that is missing, until it is clear that it never was one.
 */

/** Milliseconds for which a missing number may still appear. */
const lateMillis = 30_000

/**
 * Up to where all that came after the cursor is there, but for numbers that were missed for long enough. `missedFor` tells
 * for how many milliseconds a number has been missed, and hears of each that is.
 */
export const settledUpTo = (
  cursor: number,
  numbers: ReadonlyArray<number>,
  missedFor: (number: number) => number
): number => {
  let settled = cursor
  let isWhole = true
  let before = cursor
  for (const number of numbers) {
    if (number > before + 1 && missedFor(before + 1) < lateMillis) isWhole = false
    if (isWhole) settled = number
    before = number
  }
  return settled
}

/** What is known beyond a cursor that waits. `speed` divides the waiting. */
export const makeLateNumbers = (speed: number) => {
  const heard = new Set<number>()
  const missedSince = new Map<number, number>()

  const missedFor = (number: number): number => {
    const since = missedSince.get(number) ?? Date.now()
    missedSince.set(number, since)
    return (Date.now() - since) * speed
  }

  return {
    isHeard: (number: number): boolean => heard.has(number),
    settledUpTo: (cursor: number, numbers: ReadonlyArray<number>) => settledUpTo(cursor, numbers, missedFor),
    /** These were heard of, and the cursor is there now. */
    note: (numbers: ReadonlyArray<number>, cursor: number): void => {
      for (const number of numbers) if (number > cursor) heard.add(number)
      for (const number of heard) if (number <= cursor) heard.delete(number)
      for (const number of missedSince.keys()) if (number <= cursor) missedSince.delete(number)
    }
  }
}
