/** What goes wrong on the way: replies that a test scripts here, and accidents (Accidents.ts). */
import type { Ask, UpstreamName } from "./Upstream.ts"

/** What happens instead of the true answer, or to it. */
export interface Reply {
  /** In the log; `scripted` unless it has another. */
  readonly name?: string
  /** Without it the true answer is given, and the rest is done to it. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** In milliseconds, before the first byte. */
  readonly delayMillis?: number
  /** The connection is reset instead of answered. */
  readonly reset?: boolean
  /** The connection is reset in the middle of the body. */
  readonly resetWithin?: boolean
  /** The body comes in small pieces, spread over so many milliseconds. */
  readonly dripMillis?: number
  /** What becomes of the true body. */
  readonly alter?: (body: string) => string
  /** The body ends after so many characters; `true` is half of them. */
  readonly truncate?: boolean | number
  /** An old copy is served, where the upstream has one. */
  readonly stale?: boolean
}

export interface Intercepted {
  readonly upstream: UpstreamName
  /** Below the upstream's prefix: `/killmails/1/ab…`, `/ephemeral/96000001.json`. */
  readonly path: string
  /** Of a POST; else empty. */
  readonly body: string
  /** How often this path was asked for since the first rule, this time included. */
  readonly count: number
}

export type Rule = (request: Intercepted) => Reply | undefined

/** The newest rule is asked first. */
export const makeScript = () => {
  const rules: Array<Rule> = []
  const counts = new Map<string, number>()
  return {
    add: (rule: Rule): void => {
      rules.unshift(rule)
    },
    replyTo: ({ body, path, upstream }: Ask): Reply | undefined => {
      if (rules.length === 0) return undefined
      const key = `${upstream}${path}`
      const count = (counts.get(key) ?? 0) + 1
      counts.set(key, count)
      for (const rule of rules) {
        const reply = rule({ upstream, path, body, count })
        if (reply !== undefined) return reply
      }
      return undefined
    }
  }
}
