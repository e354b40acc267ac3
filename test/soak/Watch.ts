/** Looks at a run while it goes on: what must never be, not even for a moment, and what costs memory. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { aheadOfCursor } from "./Audit.ts"
import { type Processes, residentOf } from "./Processes.ts"

interface Sample {
  readonly process: "daemon" | "jobs"
  readonly pid: number
  readonly stored: number
  readonly megabytes: number
}

const interval = "200 millis"
/** Until its caches are full and its heap has found its size a process grows; in milliseconds of its life. */
const warmUpMillis = 60_000
/** Files before the cursor that are looked at each time. */
const lookBack = 300

export const watch = (feed: string, processes: Processes, sandbox: Sandbox) => {
  const findings = new Set<string>()
  const samples: Array<Sample> = []
  const bornAt = new Map<number, number>()
  const bodies = new Map<string, number>()
  let countedUntil = 0
  let last = { term: 0, cursor: 0 }

  const measure = (process: Sample["process"], pid: number | undefined, stored: number) => {
    const megabytes = pid === undefined ? undefined : residentOf(pid)
    if (pid === undefined || megabytes === undefined) return
    const now = performance.now()
    if (!bornAt.has(pid)) bornAt.set(pid, now)
    if (now - bornAt.get(pid)! > warmUpMillis) samples.push({ process, pid, stored, megabytes })
  }

  /** Whole true answers of ESI with a killmail, by path; requests younger than `until` may still be under way. */
  const countBodies = (until: number) => {
    for (const { at, fault, path, status, upstream } of sandbox.requests()) {
      if (at <= countedUntil || at > until) continue
      if (upstream === "esi" && status === 200 && fault === undefined && path.includes("/killmails/")) {
        bodies.set(path, (bodies.get(path) ?? 0) + 1)
      }
    }
    countedUntil = until
  }

  const lookOnce = Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [now] = yield* sql<{ stored: number; term: number; cursor: number }>`
      select (select count(sequence)::int from killmail_ledger) as stored,
        coalesce((select term::int from leases where name = ${feed}), 0) as term,
        coalesce((select cursor::float8 from feed_cursors where feed = ${feed}), 0) as cursor`
    const { cursor, stored, term } = now!
    if (term < last.term) findings.add(`I12 the term of the lease went back from ${last.term} to ${term}`)
    if (cursor < last.cursor) findings.add(`I12 the cursor went back from ${last.cursor} to ${cursor}`)
    last = { term, cursor }
    const ahead = yield* aheadOfCursor(sql, feed, lookBack)
    if (ahead.length > 0) findings.add(`I5 the cursor was ahead of what is stored or queued: ${JSON.stringify(ahead)}`)
    const { daemon, jobs } = processes.pids()
    measure("daemon", daemon, stored)
    measure("jobs", jobs, stored)
  })

  return {
    /** Until it is interrupted; a database that is away is looked at later. */
    look: Effect.ignore(Effect.timeout(lookOnce, "2 seconds")).pipe(
      Effect.andThen(Effect.sync(() => countBodies(Date.now() - 3000))),
      Effect.andThen(Effect.sleep(interval)),
      Effect.forever
    ),
    findings: () => [...findings],
    /** Bodies that ESI gave again, to whoever did not remember the first time. */
    bodiesAgain: () => {
      countBodies(Date.now())
      return [...bodies.values()].reduce((sum, count) => sum + count - 1, 0)
    },
    /** MB per 1,000 killmails in the second half, by regression within each life; nothing where the lives saw too few. */
    slope: (process: Sample["process"]) => {
      const half = (samples.at(-1)?.stored ?? 0) / 2
      return slopeOf(samples.filter((sample) => sample.process === process && sample.stored >= half))
    }
  }
}

/** Over fewer killmails, memory goes up and down for other reasons. */
const fewest = 1000

const slopeOf = (samples: ReadonlyArray<Sample>): number | undefined => {
  let [xx, xy, seen] = [0, 0, 0]
  for (const life of Map.groupBy(samples, ({ pid }) => pid).values()) {
    const mean = (pick: (sample: Sample) => number) => life.reduce((sum, sample) => sum + pick(sample), 0) / life.length
    seen += life.at(-1)!.stored - life[0]!.stored
    const [meanStored, meanMegabytes] = [mean(({ stored }) => stored), mean(({ megabytes }) => megabytes)]
    for (const { megabytes, stored } of life) {
      xx += (stored - meanStored) ** 2
      xy += (stored - meanStored) * (megabytes - meanMegabytes)
    }
  }
  return seen < fewest ? undefined : 1000 * xy / xx
}
