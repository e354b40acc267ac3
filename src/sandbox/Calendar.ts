/**
 * When things happen in the clock world, and how they are numbered. Everything follows from the clock, so a restart, or a
 * second sandbox with the same seed and speed, continues the very same New Eden.
 */
import { drawOf } from "./Random.ts"

/** The first mail's instant. */
export const beginning = Date.UTC(2026, 0, 1)

/** Killmails a second in all of New Eden: about 860 an hour (R2Z2, observed 2026). Multiplied by speed. */
const killmailsPerSecond = 0.24

/** R2Z2's number of the first mail, and ESI's: about what they really were that day. */
export const firstSequence = 96_000_000
const firstKillmailId = 133_500_000

/** The newest mail that exists at this instant, in milliseconds: mail `k` for k = 0, 1, 2, … Below 0 before the beginning. */
export const newestMailAt = (now: number, speed: number): number =>
  Math.floor((now - beginning) / 1000 * killmailsPerSecond * speed)

/** When mail `k` is published, in milliseconds. */
export const publishedAt = (k: number, speed: number): number => beginning + k / (killmailsPerSecond * speed) * 1000

/** When its ship died: seconds to minutes before it is heard of, and up to 72 h for one in 400. In whole seconds. */
export const diedAt = (seed: string, k: number, speed: number): number => {
  const draw = drawOf(seed, "delay", k)
  const seconds = draw < 1 / 400 ? draw * 400 * 72 * 3600 : 5 + (draw ** 3) * 115
  return Math.floor(publishedAt(k, speed) / 1000 - seconds) * 1000
}

/** Killmail ids rise, but not in the order in which mails are heard of: they are dealt out within blocks of this many. */
const block = 16

export const killmailIdOf = (seed: string, k: number): number =>
  firstKillmailId + k - (k % block) + shuffled(seed, Math.floor(k / block)).indexOf(k % block)

/** The mail with this id, or nothing: the inverse of `killmailIdOf`. */
export const mailWithId = (seed: string, killmailId: number): number | undefined => {
  const offset = killmailId - firstKillmailId
  return offset < 0
    ? undefined
    : offset - (offset % block) + shuffled(seed, Math.floor(offset / block))[offset % block]!
}

/** The numbers of one block in their order of ids. */
const shuffled = (seed: string, blockNumber: number): ReadonlyArray<number> =>
  Array.from({ length: block }, (_, index) => ({ index, draw: drawOf(seed, "order", blockNumber, index) }))
    .toSorted((a, b) => a.draw - b.draw)
    .map(({ index }) => index)
