/** The ways in which the services count what a client may do. Times are milliseconds, given by the caller. */

export interface SlidingWindow {
  /** How much is left now. */
  readonly left: (now: number) => number
  readonly spend: (tokens: number, now: number) => void
  /** How long until at least so many tokens are left. */
  readonly waitFor: (tokens: number, now: number) => number
}

/** Tokens come back one window after they were spent: ESI's buckets, R2Z2's requests a second. */
export const slidingWindow = (size: number, windowMillis: number): SlidingWindow => {
  let spent: Array<{ readonly at: number; readonly tokens: number }> = []
  let first = 0
  let used = 0
  const expire = (now: number) => {
    for (let entry = spent[first]; entry !== undefined && entry.at <= now - windowMillis; entry = spent[++first]) {
      used -= entry.tokens
    }
    if (first > 1_000) {
      spent = spent.slice(first)
      first = 0
    }
  }
  const left = (now: number): number => {
    expire(now)
    return Math.max(0, size - used)
  }
  return {
    left,
    spend: (tokens, now) => {
      expire(now)
      if (tokens === 0) return
      spent.push({ at: now, tokens })
      used += tokens
    },
    waitFor: (tokens, now) => {
      let available = left(now) - Math.max(0, used - size)
      for (let index = first; available < tokens && index < spent.length; index++) {
        available += spent[index]!.tokens
        if (available >= tokens) return spent[index]!.at + windowMillis - now
      }
      return 0
    }
  }
}

export interface FixedWindow {
  readonly left: (now: number) => number
  readonly spend: (now: number) => void
  /** Until the window ends and all is well again. */
  readonly reset: (now: number) => number
}

/** All comes back at once when the window ends: ESI's error limit. */
export const fixedWindow = (size: number, windowMillis: number): FixedWindow => {
  let current = 0
  let used = 0
  const turn = (now: number) => {
    const window = Math.floor(now / windowMillis)
    if (window !== current) {
      current = window
      used = 0
    }
  }
  return {
    left: (now) => {
      turn(now)
      return Math.max(0, size - used)
    },
    spend: (now) => {
      turn(now)
      used++
    },
    reset: (now) => windowMillis - now % windowMillis
  }
}
