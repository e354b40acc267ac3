/** How many killmails, or prices, an upstream says that each day has. */
import { Schema } from "effect"
import { type Day, isDay } from "../domain/Market.ts"

/** As many as a column holds. */
const mostRecords = 2 ** 31 - 1

export const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: mostRecords }))

/** `{"20261118": 21034}`, or with days such as `2026-11-18`. */
export const Totals = Schema.fromJsonString(Schema.Record(Schema.String, Count))

/** What is named after no day, or after one to come, is left out. */
export const countsByDay = (counts: ReadonlyArray<readonly [name: string, count: number]>): ReadonlyMap<Day, number> =>
  new Map(
    counts
      .map(([name, count]) => [name.replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3"), count] as const)
      .filter(([day]) => isDay(day) && Date.parse(day) <= Date.now())
  )
