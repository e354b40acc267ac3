/**
 * A seeded share of accidents, each by name, as they happen with the real services. What takes time takes that time divided
 * by the speed, like all else in the sandbox.
 */
import { htmlError } from "./Esi.ts"
import type { Reply } from "./Faults.ts"
import { randomOf } from "./Random.ts"
import { type Ask, json, secondsHeader, type UpstreamName } from "./Upstream.ts"

/** `draw` is from 0 to 1, for what differs from time to time. */
type Accident = (speed: number, draw: number) => Reply

/** One accident in so many is the beginning of an outage, which lasts so long at speed 1: 10 minutes. */
const accidentsToOutage = 1000
const outageMillis = 600_000
/** In a row for one path: ESI's own answer, unreadable three times, is final, and rightly so. */
const mostInRow = 2

/**
 * Request number `n` of a sandbox with this seed always meets the same accident, or none, but for outages: whatever is asked
 * of an upstream while it is away fails.
 */
export const makeAccidents = (seed: string, share: number, speed: number) => {
  let count = 0
  const awayUntil = new Map<UpstreamName, number>()
  const inRow = new Map<string, number>()

  const draw = (ask: Ask): Reply | undefined => {
    const random = randomOf(seed, "fault", ++count)
    const path = ask.upstream + ask.path
    const before = inRow.get(path) ?? 0
    if (!random.chance(share) || before === mostInRow) {
      inRow.delete(path)
      return undefined
    }
    inRow.set(path, before + 1)
    if (random.chance(1 / accidentsToOutage)) awayUntil.set(ask.upstream, ask.at + outageMillis / speed)
    const [name, accident] = random.pick(accidentsOf(ask.upstream))
    return { name, ...accident(speed, random.next()) }
  }

  return (ask: Ask): Reply | undefined => {
    if (share === 0) return undefined
    const drawn = draw(ask)
    return ask.at < (awayUntil.get(ask.upstream) ?? 0) ? { name: "outage", ...page(503) } : drawn
  }
}

const page = (status: number): Reply => {
  const { body = "", headers = {} } = htmlError(status)
  return { status, headers, body }
}

const refused = (status: number, headers: Readonly<Record<string, string>>): Reply => {
  const { body = "", headers: own = {} } = json(status, { error: "too many requests" })
  return { status, headers: { ...own, ...headers }, body }
}

/** Milliseconds, of so many seconds at speed 1 and up to so many more. */
const between = (seconds: number, more: number): (speed: number, draw: number) => number => (speed, draw) =>
  1000 * (seconds + more * draw) / speed

const pause = between(2, 8)

const everyones: Readonly<Record<string, Accident>> = {
  bad_gateway: () => page(502),
  unavailable: () => page(503),
  gateway_timeout: () => page(504),
  internal_error: () => ({
    status: 500,
    headers: { "content-type": "application/json" },
    body: `{"error":"internal"}`
  }),
  page_of_maintenance: () => ({ ...page(503), status: 200 }),
  garbage: () => ({ status: 200, headers: { "content-type": "application/json" }, body: "\u0000\uFFFD{]" }),
  wrong_schema: () => ({ status: 200, headers: { "content-type": "application/json" }, body: `{"killmail":[]}` }),
  truncated: () => ({ truncate: true }),
  empty: () => ({ truncate: 0 }),
  reset: () => ({ reset: true }),
  reset_within_body: () => ({ resetWithin: true }),
  slow: (speed, draw) => ({ delayMillis: between(2, 3)(speed, draw) }),
  /** A byte now and then. */
  drip: (speed, draw) => ({ dripMillis: between(10, 20)(speed, draw) }),
  /** The connection stays open, and nothing comes: a stuck long poll, a half-open socket. */
  stuck: (speed, draw) => ({ delayMillis: between(30, 30)(speed, draw), reset: true }),
  too_many_requests: (speed, draw) => refused(429, { "retry-after": secondsHeader(pause(speed, draw), speed) }),
  too_many_requests_untold: () => refused(429, {})
}

const own: Readonly<Record<UpstreamName, Readonly<Record<string, Accident>>>> = {
  esi: {
    error_limited: (speed, draw) =>
      refused(420, {
        "x-esi-error-limit-remain": "0",
        "x-esi-error-limit-reset": secondsHeader(pause(speed, draw), speed)
      }),
    another_killmail: () => ({ alter: oneMore("killmail_id") })
  },
  r2z2: {
    denied: () => ({
      status: 404,
      headers: { "content-type": "text/html" },
      body: "<html><body>Object not found</body></html>"
    }),
    stale: () => ({ stale: true }),
    another_file: () => ({ alter: oneMore("sequence_id") })
  },
  redisq: {},
  evekill: {},
  "evekill-socket": {},
  zkillboard: {},
  everef: {},
  "static-data": {},
  wanderer: {},
  sso: {},
  fcm: {},
  discord: {},
  slack: {},
  receiver: {}
}

const oneMore = (field: string) => (body: string): string =>
  body.replace(new RegExp(`"${field}":\\s*(\\d+)`), (_, number) => `"${field}":${Number(number) + 1}`)

const accidentsOf = (upstream: UpstreamName) => Object.entries({ ...everyones, ...own[upstream] })

/** Their names, that an upstream's requests may meet. */
export const accidentNames = (upstream: UpstreamName): ReadonlyArray<string> =>
  accidentsOf(upstream).map(([name]) => name)
