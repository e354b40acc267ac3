/**
 * Seeded chance: the same keys give the same draws on every machine and after every restart. Not for secrets.
 * Generator: sfc32 (public domain, PractRand-clean), seeded by FNV-1a over the keys.
 */

export interface Random {
  /** From 0 up to, not including, 1. */
  readonly next: () => number
  /** A whole number from `low` to `high`, both included. */
  readonly whole: (low: number, high: number) => number
  /** True in `share` of the draws. */
  readonly chance: (share: number) => boolean
  readonly pick: <A>(from: ReadonlyArray<A>) => A
  /** Like `pick`, but the earlier the likelier: tables are sorted by how often a thing is seen in space. */
  readonly favour: <A>(from: ReadonlyArray<A>) => A
}

export const randomOf = (...keys: ReadonlyArray<string | number>): Random => {
  let a = hash32(keys.join("|"))
  let b = a ^ 0x9e3779b9
  let c = Math.imul(a, 0x85ebca6b)
  let counter = 1
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return (t >>> 0) / 4_294_967_296
  }
  for (let warmUp = 0; warmUp < 12; warmUp++) next()
  return {
    next,
    whole: (low, high) => low + Math.floor(next() * (high - low + 1)),
    chance: (share) => next() < share,
    pick: (from) => at(from, next()),
    favour: (from) => at(from, next() ** 2)
  }
}

const at = <A>(from: ReadonlyArray<A>, share: number): A => {
  const chosen = from[Math.floor(share * from.length)]
  if (chosen === undefined) throw new Error("cannot pick from nothing")
  return chosen
}

/** One draw from 0 to 1 for these keys, for decisions that need no more. */
export const drawOf = (...keys: ReadonlyArray<string | number>): number => hash32(keys.join("|")) / 4_294_967_296

/** FNV-1a with a final mix, as its low bits alone are weak. */
const hash32 = (text: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x7feb352d)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x846ca68b)
  return (hash ^ (hash >>> 16)) >>> 0
}
