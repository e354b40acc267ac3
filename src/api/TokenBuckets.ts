/** A token bucket for each client: full at first, and filled up evenly. In bounded memory. */

/** Buckets that are kept; of more, those that were not used for longest are as good as full. */
const mostBuckets = 50_000

interface Bucket {
  tokens: number
  /** When they were so many, in milliseconds. */
  at: number
}

/** How a bucket is after a token was asked of it. */
export interface Level {
  readonly isTaken: boolean
  /** Tokens that are left. */
  readonly remaining: number
  /** Seconds until it is full again. */
  readonly fullIn: number
  /** Seconds until there is a token. */
  readonly nextIn: number
}

export interface TokenBuckets {
  /** Takes a token if there is one. `now` is in milliseconds. */
  readonly take: (client: string, now: number) => Level
}

/** Buckets of `capacity` tokens, which an empty one has again after `windowMillis`. */
export const make = (capacity: number, windowMillis: number): TokenBuckets => {
  // In the order of their last use.
  const buckets = new Map<string, Bucket>()
  const perMilli = capacity / windowMillis
  const secondsUntil = (missing: number): number => Math.max(0, Math.ceil(missing / perMilli / 1000))

  const take = (client: string, now: number): Level => {
    const { at, tokens } = buckets.get(client) ?? { at: now, tokens: capacity }
    const filled = Math.min(capacity, tokens + Math.max(0, now - at) * perMilli)
    const isTaken = filled >= 1
    const left = isTaken ? filled - 1 : filled
    buckets.delete(client)
    buckets.set(client, { at: now, tokens: left })
    if (buckets.size > mostBuckets) buckets.delete(buckets.keys().next().value!)
    return {
      isTaken,
      remaining: Math.floor(left),
      fullIn: secondsUntil(capacity - left),
      nextIn: secondsUntil(1 - left)
    }
  }
  return { take }
}
