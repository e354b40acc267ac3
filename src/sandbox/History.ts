/**
 * zKillboard's lists of days that are over, which R2Z2 serves beside the feed: how many killmails each has, their hashes, and
 * their bodies. The world of the clock has those of EVE Ref's archives; the manual world what a test publishes.
 */
import { hashOf, type Killmail } from "../domain/Killmail.ts"
import { type Answer, json } from "./Upstream.ts"

export interface ListedDay {
  readonly killmails: ReadonlyArray<Killmail>
  /** Days before July 2026 had no file of bodies. */
  readonly hasBodies: boolean
}

export interface History {
  /** By day (`2025-12-31`). */
  readonly counts: () => ReadonlyMap<string, number>
  readonly day: (day: string) => ListedDay | undefined
}

export interface ManualHistory extends History {
  readonly publish: (day: string, listed: ListedDay) => void
}

export const manualHistory = (): ManualHistory => {
  const published = new Map<string, ListedDay>()
  return {
    counts: () => new Map([...published].map(([day, { killmails }]) => [day, killmails.length])),
    day: (day) => published.get(day),
    publish: (day, listed) => {
      published.set(day, listed)
    }
  }
}

/** What R2Z2 has under this path; nothing for a path that is no list's, or a day that has none yet. */
export const listAt = (history: History, path: string): Answer | undefined => {
  if (path === "/history/totals.json") {
    return forAYear(Object.fromEntries([...history.counts()].map(([day, count]) => [day.replaceAll("-", ""), count])))
  }
  const [, raw, year, month, dayOfMonth] = /^\/history\/(raw\/)?(\d{4})(\d\d)(\d\d)\.json$/.exec(path) ?? []
  const listed = history.day(`${year}-${month}-${dayOfMonth}`)
  if (listed === undefined || (raw !== undefined && !listed.hasBodies)) return undefined
  return forAYear(
    Object.fromEntries(
      listed.killmails.map((killmail) => [killmail.killmail_id, raw === undefined ? hashOf(killmail) : killmail])
    )
  )
}

/** So it says, although files are written anew when something comes late. */
const forAYear = (body: unknown): Answer => json(200, body, { "cache-control": "public, max-age=31536000" })
