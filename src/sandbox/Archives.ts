/**
 * EVE Ref's archives of killmails: a day's in one packed file, with the hash beside each body. The world of the clock has
 * those of the month before it began, thinned out; the manual world what a test publishes.
 */
import { hashOf, type Killmail } from "../domain/Killmail.ts"
import { bzip2 } from "./Bzip2.ts"
import type { History } from "./History.ts"
import { killmailOf } from "./World.ts"

/** A file in an archive. */
export interface ArchiveMember {
  readonly name: string
  readonly text: string
}

export interface Archives {
  /** How many killmails each day has that is archived, by day (`2025-12-31`). */
  readonly counts: () => ReadonlyMap<string, number>
  /** The day's file. */
  readonly file: (day: string) => Buffer | undefined
}

const mailsADay = 200
const firstDay = Date.UTC(2025, 11, 1)
const days = 31
const dayMillis = 86_400_000
const firstKillmailId = 132_000_000

/** December 2025. */
export const clockHistory = (seed: string): History => {
  const dayNames = Array.from(
    { length: days },
    (_, index) => new Date(firstDay + index * dayMillis).toISOString().slice(0, 10)
  )
  return {
    counts: () => new Map(dayNames.map((day) => [day, mailsADay])),
    day: (day) => {
      const index = dayNames.indexOf(day)
      if (index === -1) return undefined
      return { killmails: killmailsOfDay(seed, day, index * mailsADay, mailsADay), hasBodies: true }
    }
  }
}

/** The same days, as EVE Ref has them. */
export const clockArchives = (seed: string): Archives => {
  const { counts, day } = clockHistory(seed)
  return {
    counts,
    file: (name) => {
      const listed = day(name)
      return listed && archiveOf(listed.killmails.map(memberOf))
    }
  }
}

/** So many killmails of a day, in order; `from` numbers the first of them over all days. */
export const killmailsOfDay = (seed: string, day: string, from: number, count: number): ReadonlyArray<Killmail> =>
  Array.from({ length: count }, (_, index) => ({
    ...killmailOf(`${seed} of old`, from + index).killmail,
    killmail_id: firstKillmailId + from + index,
    killmail_time: new Date(Date.parse(day) + Math.floor(index * 86_400 / count) * 1000).toISOString().slice(0, 19) +
      "Z"
  }))

/** As EVE Ref writes it. */
export const memberOf = (killmail: Killmail): ArchiveMember => ({
  name: `killmails/${killmail.killmail_id}.json`,
  text: JSON.stringify({
    ...killmail,
    killmail_hash: hashOf(killmail),
    http_last_modified: "2025-12-31T12:00:00Z"
  })
})

export interface ManualArchives extends Archives {
  readonly publish: (day: string, members: ReadonlyArray<ArchiveMember>) => void
}

export const manualArchives = (): ManualArchives => {
  const published = new Map<string, ReadonlyArray<ArchiveMember>>()
  return {
    counts: () => new Map([...published].map(([day, members]) => [day, members.length])),
    file: (day) => {
      const members = published.get(day)
      return members && archiveOf(members)
    },
    publish: (day, members) => {
      published.set(day, members)
    }
  }
}

/** A tar archive (POSIX.1-1988, "ustar"), packed. */
export const archiveOf = (members: ReadonlyArray<ArchiveMember>): Buffer => bzip2(tarOf(members))

const recordSize = 512

export const tarOf = (members: ReadonlyArray<ArchiveMember>): Buffer =>
  Buffer.concat([
    ...members.flatMap(({ name, text }) => {
      const content = Buffer.from(text)
      return [headerOf(name, content.length), content, Buffer.alloc(-content.length & recordSize - 1)]
    }),
    Buffer.alloc(2 * recordSize)
  ])

const headerOf = (name: string, size: number): Buffer => {
  const header = Buffer.alloc(recordSize)
  const octal = (value: number, at: number, length: number) =>
    header.write(value.toString(8).padStart(length - 1, "0"), at, "latin1")
  header.write(name, 0, "latin1")
  octal(0o644, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(0, 136, 12)
  header.write("        0", 148, "latin1")
  header.write("ustar\u000000", 257, "latin1")
  octal(header.reduce((sum, byte) => sum + byte, 0), 148, 7)
  return header
}
