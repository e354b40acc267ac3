/** Days of EVE's history, and the names of their archives. */
import { Clock, Effect } from "effect"
import type { Range } from "../domain/Days.ts"
import type { Day } from "../domain/Market.ts"
import type { Dataset } from "../upstreams/EveRefClient.ts"

/** Of the oldest killmail that EVE Ref has. */
export const firstDay: Day = "2007-12-05"

/** All days that there may be killmails of, up to today. */
export const history: Effect.Effect<Range> = Effect.map(
  Clock.currentTimeMillis,
  (now) => ({ first: firstDay, last: new Date(now).toISOString().slice(0, 10) })
)

export const archiveName = (day: Day): string => `killmails-${day}.tar.bz2`

export const killmailArchives: Dataset = { folder: "killmails", name: archiveName }

/** Of which day the archive in this file is, by its name; undefined when it is none. */
export const dayOfArchive = (file: string): Day | undefined =>
  /(?:^|[/\\])killmails-(\d{4}-\d\d-\d\d)\.tar\.bz2$/.exec(file)?.[1]
