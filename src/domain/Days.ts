/** Days of the calendar in a row. */
import type { Day } from "./Market.ts"

/** Both included. */
export interface Range {
  readonly first: Day
  readonly last: Day
}

export const isWithin = ({ first, last }: Range, day: Day): boolean => day >= first && day <= last

/** `2021` … */
export const yearsOf = ({ first, last }: Range): ReadonlyArray<string> => {
  const [from, to] = [Number(first.slice(0, 4)), Number(last.slice(0, 4))]
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => String(from + index))
}
