/**
 * What goes wrong on the way: replies that a test scripts, and a seeded share of accidents as they happen with the real
 * services.
 */
import { htmlError } from "./Esi.ts"
import { randomOf } from "./Random.ts"
import { type Ask, json, secondsHeader, type UpstreamName } from "./Upstream.ts"

/** What happens instead of the true answer, or to it. */
export interface Reply {
  /** Without it the true answer is given, and the rest is done to it. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** In milliseconds, before the first byte. */
  readonly delayMillis?: number
  /** The connection is reset instead of answered. */
  readonly reset?: boolean
  /** The body ends after so many characters; `true` is half of them. */
  readonly truncate?: boolean | number
  /** An old copy is served, where the upstream has one. */
  readonly stale?: boolean
}

export interface Intercepted {
  readonly upstream: UpstreamName
  /** Below the upstream's prefix: `/killmails/1/ab…`, `/ephemeral/96000001.json`. */
  readonly path: string
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
    replyTo: ({ path, upstream }: Ask): Reply | undefined => {
      if (rules.length === 0) return undefined
      const key = `${upstream}${path}`
      const count = (counts.get(key) ?? 0) + 1
      counts.set(key, count)
      for (const rule of rules) {
        const reply = rule({ upstream, path, count })
        if (reply !== undefined) return reply
      }
      return undefined
    }
  }
}

/** Accidents: request number `n` of a sandbox with this seed always meets the same one. */
export const makeFaults = (seed: string, share: number, speed: number) => {
  let count = 0
  return (ask: Ask): Reply | undefined => {
    if (share === 0) return undefined
    const random = randomOf(seed, "fault", ++count)
    if (!random.chance(share)) return undefined
    const own = ask.upstream === "r2z2" ? r2z2Faults : ask.upstream === "esi" ? esiFaults : []
    return random.pick([...everyonesFaults, ...own])(speed, random.next())
  }
}

type Fault = (speed: number, draw: number) => Reply

const page = (status: number): Reply => {
  const { body = "", headers = {} } = htmlError(status)
  return { status, headers, body }
}

const refused = (status: number, headers: Readonly<Record<string, string>>): Reply => {
  const { body = "", headers: own = {} } = json(status, { error: "too many requests" })
  return { status, headers: { ...own, ...headers }, body }
}

const everyonesFaults: ReadonlyArray<Fault> = [
  () => page(502),
  () => page(503),
  () => page(504),
  () => ({ truncate: true }),
  () => ({ truncate: 0 }),
  () => ({ reset: true }),
  (speed, draw) => ({ delayMillis: (2_000 + 3_000 * draw) / speed }),
  (speed, draw) => refused(429, { "retry-after": secondsHeader((2_000 + 8_000 * draw) / speed, speed) }),
  () => refused(429, {})
]

const esiFaults: ReadonlyArray<Fault> = [
  (speed, draw) =>
    refused(420, {
      "x-esi-error-limit-remain": "0",
      "x-esi-error-limit-reset": secondsHeader((2_000 + 8_000 * draw) / speed, speed)
    })
]

const r2z2Faults: ReadonlyArray<Fault> = [
  () => ({ status: 404, headers: { "content-type": "text/html" }, body: "<html><body>Object not found</body></html>" }),
  () => ({ stale: true })
]
