/** What RedisQ has to tell, in the order in which it tells it; a queue is a position in it. */
import { drawOf } from "./Random.ts"
import type { Universe } from "./Universe.ts"
import type { Mail } from "./World.ts"

export interface Packages {
  /** Where a new queue begins. */
  readonly start: (now: number) => number
  /** The next answer's text, and the position after it; nothing when there is none yet. */
  readonly take: (position: number, now: number) => { readonly text: string; readonly position: number } | undefined
}

/** The manual world's: each queue gets all of it from the beginning. */
export const publishedPackages = (list: ReadonlyArray<unknown>): Packages => ({
  start: () => 0,
  take: (position) =>
    position < list.length
      ? { text: JSON.stringify({ package: list[position] }), position: position + 1 }
      : undefined
})

/** A queue remembers 3 hours: this many mails at any speed. */
const memory = Math.round(3 * 3_600 * 0.24)

/** Numbers are told out of order within groups of so many. */
const group = 3

/**
 * The same mails as on R2Z2, a little out of order and some twice. A position counts half mails: the odd half of a mail is
 * its repetition, and mostly skipped.
 */
export const packagesOf = (universe: Universe, seed: string, fromTheStart: boolean): Packages => ({
  start: (now) => {
    universe.consumerCame(now)
    return 2 * (fromTheStart ? 0 : Math.max(0, universe.head(now) - universe.first + 1))
  },
  take: (position, now) => {
    const told = universe.head(now) - universe.first + 1
    let at = fromTheStart ? position : Math.max(position, 2 * (told - memory))
    for (;; at++) {
      const index = shuffled(seed, Math.floor(at / 2))
      if (index >= told) return undefined
      if (at % 2 === 1 && drawOf(seed, "twice", index) >= 0.01) continue
      const file = universe.file(universe.first + index, now, false)
      if (file !== "hole" && file.mail !== undefined) {
        return { text: packageText(seed, file.mail), position: at + 1 }
      }
    }
  }
})

/** The three shapes that there were: with the body (to November 2025), without it, and the flat one of older clones. */
const packageText = (seed: string, { hash, killmail, zkb }: Mail): string => {
  const killID = killmail.killmail_id
  const draw = drawOf(seed, "shape", killID)
  return JSON.stringify({
    package: draw < 0.6 ? { killID, killmail, zkb } : draw < 0.96 ? { killID, zkb } : { killID, hash }
  })
}

const shuffled = (seed: string, index: number): number => {
  const first = index - index % group
  const turn = Math.floor(drawOf(seed, "turn", first) * group)
  // Most groups stay as they are; the others are turned by one or two.
  return drawOf(seed, "calm", first) < 0.7 ? index : first + (index - first + turn) % group
}
