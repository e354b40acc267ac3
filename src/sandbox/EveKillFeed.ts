/**
 * What EVE-KILL has processed, in that order and numbered: the killmails that R2Z2 has, too. Numbers are given out before
 * their entries can be seen, so a few appear after later ones, and some never.
 */
import { hashOf, type Killmail } from "../domain/Killmail.ts"
import { drawOf } from "./Random.ts"
import type { Universe } from "./Universe.ts"

export interface Entry {
  readonly seq: number
  readonly killmail: Killmail
  readonly hash: string
}

export interface EveKillFeed {
  /** The number of the newest entry that can be seen. */
  readonly latest: (now: number) => number
  /** Up to so many entries after a number, or what else a test published there. */
  readonly after: (seq: number, limit: number, now: number) => ReadonlyArray<Entry | { readonly raw: unknown }>
}

/** About where it was in the summer of 2026. */
const firstSeq = 2_400_000
/** A year of 0.24 a second. */
const kept = 7_568_640
/** One in so many appears when three others came after it. */
const late = 300
const lateBy = 3

export const eveKillFeed = (universe: Universe, seed: string): EveKillFeed => {
  const newest = (now: number) => firstSeq + universe.head(now) - universe.first
  const isSeen = (seq: number, now: number) => newest(now) - seq >= lateBy || drawOf(seed, "late", seq) >= 1 / late

  const entryOf = (seq: number, now: number): ReadonlyArray<Entry> => {
    if (!isSeen(seq, now)) return []
    const file = universe.file(universe.first + seq - firstSeq, now, false)
    return file === "hole" || file.mail === undefined ? [] : [{ seq, ...file.mail }]
  }

  return {
    latest: (now) => {
      universe.consumerCame(now)
      return newest(now)
    },
    after: (seq, limit, now) => {
      const found: Array<Entry> = []
      const head = newest(now)
      for (let next = Math.max(firstSeq, head - kept, seq + 1); next <= head && found.length < limit; next++) {
        found.push(...entryOf(next, now))
      }
      return found
    }
  }
}

/** What a test gives EVE-KILL to tell. */
export type EveKillPublication =
  | {
    readonly killmail: Killmail
    readonly hash?: string
    /** Instead of the next number: one that is to appear late. */
    readonly seq?: number
  }
  | { readonly raw: unknown }

/** The manual world's, with the way to publish. */
export const publishedEveKillFeed = () => {
  const entries = new Map<number, Entry | { readonly raw: unknown }>()
  let latest = firstSeq
  const feed: EveKillFeed = {
    latest: () => latest,
    after: (seq, limit) => {
      const found: Array<Entry | { readonly raw: unknown }> = []
      for (let next = Math.max(firstSeq, seq) + 1; next <= latest && found.length < limit; next++) {
        const entry = entries.get(next)
        if (entry !== undefined) found.push(entry)
      }
      return found
    }
  }
  return {
    feed,
    /** Returns its number. */
    publish: (publication: EveKillPublication): number => {
      const seq = "raw" in publication ? latest + 1 : publication.seq ?? latest + 1
      entries.set(
        seq,
        "raw" in publication ? publication : {
          seq,
          killmail: publication.killmail,
          hash: publication.hash ?? hashOf(publication.killmail)
        }
      )
      latest = Math.max(latest, seq)
      return seq
    },
    /** Gives out a number whose entry is not to be seen yet. */
    reserve: (): number => ++latest
  }
}
