/** What the market says one unit was worth on a day: zKillboard's rule against wild prices. Pure. */
import { dividedBy, type Isk, iskOf } from "./Isk.ts"
import type { DailyAverage, Day } from "./Market.ts"

/** How many daily averages are looked at, however far back they lie. */
const most = 34

/**
 * The mean of the last 34 daily averages without the 2 lowest and the 2 highest; of 7 to 33 without the 2 highest; of
 * fewer, of all. Undefined where there is none. To the hundredth.
 */
export const smoothedPrice = (averages: ReadonlyArray<DailyAverage>): Isk | undefined => {
  const hundredths = averages.flatMap(({ average }) => isPrice(average) ? Math.round(average * 100) : [])
    .slice(0, most)
    .toSorted((a, b) => a - b)
  const kept = hundredths.length === most
    ? hundredths.slice(2, -2)
    : hundredths.length >= 7
    ? hundredths.slice(0, -2)
    : hundredths
  return kept.length === 0 ? undefined : dividedBy(exactSum(kept), kept.length)
}

/** The average of this very day. It counts where it is lower than what else is said. */
export const priceOfDay = (averages: ReadonlyArray<DailyAverage>, day: Day): Isk | undefined => {
  const average = averages.find((each) => each.day === day)?.average
  return average !== undefined && isPrice(average) ? iskOf(average) : undefined
}

/** Days without trade are recorded as 0. */
const isPrice = (average: number): boolean => average > 0 && average < Infinity

const exactSum = (hundredths: ReadonlyArray<number>): Isk => {
  const sum = hundredths.reduce((sum, each) => sum + each, 0)
  return Number.isSafeInteger(sum) ? BigInt(sum) : hundredths.reduce((sum, each) => sum + BigInt(each), 0n)
}
