/** What the market says one unit was worth on a day: zKillboard's rule against wild prices. Pure. */
import { dividedBy, type Isk, iskOf } from "./Isk.ts"
import type { DailyAverage, Day } from "./Market.ts"

/** How many daily averages are looked at, however far back they lie. */
const most = 34
/** From how many on the two highest are left out. */
const some = 7

/**
 * The mean of the last 34 daily averages without the 2 lowest and the 2 highest; of 7 to 33 without the 2 highest; of
 * fewer, of all. Undefined where there is none. `averages`: newest first.
 */
export const smoothedPrice = (averages: ReadonlyArray<DailyAverage>): Isk | undefined => {
  let count = 0
  const sum = new Sum()
  // Found in passing: to sort them would take longer than all else in a valuation.
  let lowest = Infinity
  let low = Infinity
  let high = 0
  let highest = 0
  for (const { average } of averages) {
    if (!isPrice(average)) continue
    const price = Math.round(average * 100)
    sum.add(price)
    if (price < lowest) {
      low = lowest
      lowest = price
    } else if (price < low) low = price
    if (price > highest) {
      high = highest
      highest = price
    } else if (price > high) high = price
    if (++count === most) break
  }
  if (count === 0) return undefined
  if (count < some) return dividedBy(sum.isk(), count)
  const withoutHighest = sum.isk() - BigInt(high) - BigInt(highest)
  return count < most
    ? dividedBy(withoutHighest, count - 2)
    : dividedBy(withoutHighest - BigInt(low) - BigInt(lowest), count - 4)
}

/** Adds hundredths exactly, as numbers while numbers can. */
class Sum {
  private carried = 0n
  private rest = 0

  add(hundredths: number): void {
    this.rest += hundredths
    if (this.rest > 2 ** 52) {
      this.carried += BigInt(this.rest)
      this.rest = 0
    }
  }

  isk(): Isk {
    return this.carried + BigInt(this.rest)
  }
}

/** The average of this very day. It counts where it is lower than what else is said. */
export const priceOfDay = (averages: ReadonlyArray<DailyAverage>, day: Day): Isk | undefined => {
  const newest = averages[0]
  return newest !== undefined && newest.day === day && isPrice(newest.average) ? iskOf(newest.average) : undefined
}

/** Days without trade may be recorded as 0. */
const isPrice = (average: number): boolean => average > 0 && average < Infinity
