/** The killmails that benchmarks run on: of the sandbox's New Eden and of the last weeks, each given out once. */
import { newestMailAt } from "../sandbox/Calendar.ts"
import { killmailOf, type Mail } from "../sandbox/World.ts"

export const seed = "benchmark"

/** About 24 days of New Eden, all within the days whose prices a daemon looks after. */
const most = 500_000

let next = newestMailAt(Date.now(), 1) - most

export const takeMails = (count: number): ReadonlyArray<Mail> =>
  Array.from({ length: count }, () => killmailOf(seed, next++))
