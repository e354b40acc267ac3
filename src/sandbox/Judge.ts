/**
 * Watches whether the client keeps the rules of the services it uses, and writes down every breach. It never changes an
 * answer: the services enforce their limits themselves.
 */
import type { Ask, UpstreamName } from "./Upstream.ts"

export interface Violation {
  /** UTC, with milliseconds. */
  readonly at: string
  readonly upstream: UpstreamName
  readonly rule: Rule
  readonly detail: string
}

export type Rule =
  /** No User-Agent, or that of the HTTP library: the operator cannot be reached. */
  | "user-agent"
  /** More than a budget allows, or two requests at once where one is allowed. */
  | "budget"
  /** Went on after a refusal before the wait it prescribed was over. */
  | "pause"
  /** Asked again for what it has, before that expired, or for what is not there yet, too soon. */
  | "cache"
  /** Said, or left unsaid, on a WebSocket what its protocol forbids. */
  | "protocol"

/** Requests that were under way when a refusal was sent may still arrive for so long, in milliseconds of real time. */
export const grace = 250

/** So many are kept; further ones are dropped, as by then the case is clear. */
const mostViolations = 10_000
const mostRemembered = 200_000

export interface Judge {
  readonly violations: () => ReadonlyArray<Violation>
  readonly accuse: (ask: Ask, rule: Rule, detail: string) => void
  /** A request arrived: is it allowed to come at all, and now? */
  readonly hear: (ask: Ask, scopes: ReadonlyArray<string>, subjects?: ReadonlyArray<string>) => void
  /** A true answer went out complete; the client has no reason to ask the same for so long. */
  readonly remember: (ask: Ask, quietMillis: number, now: number, subjects?: ReadonlyArray<string>) => void
  /** The client died, or its connections did: what it was answered may be lost, and it may ask for all of it again. */
  readonly forget: () => void
  /** A refusal with a prescribed wait went out. */
  readonly pause: (scope: string, millis: number, now: number) => void
}

export const makeJudge = (): Judge => {
  const violations: Array<Violation> = []
  const quietUntil = new Map<string, number>()
  const pauses = new Map<string, { readonly from: number; readonly until: number }>()

  const accuse = (ask: Ask, rule: Rule, detail: string) => {
    if (violations.length === mostViolations) return
    violations.push({ at: new Date(ask.at).toISOString(), upstream: ask.upstream, rule, detail })
  }

  const hear: Judge["hear"] = (ask, scopes, subjects = [ask.path]) => {
    if (/^(node|undici|axios\/[\d.]+)?$/.test(ask.client.trim())) {
      accuse(ask, "user-agent", `${keyOf(ask)} came with ${ask.client === "" ? "no User-Agent" : `"${ask.client}"`}`)
    }
    for (const scope of scopes) {
      const pause = pauses.get(scope)
      if (pause !== undefined && ask.at >= pause.from && ask.at < pause.until) {
        accuse(ask, "pause", `${keyOf(ask)} came ${pause.until - ask.at} ms before the pause of ${scope} was over`)
      }
    }
    const until = Math.max(0, ...subjects.map((subject) => quietUntil.get(quietKeyOf(ask, subject)) ?? 0))
    if (ask.at < until) {
      accuse(ask, "cache", `${keyOf(ask)} was asked again ${Math.ceil(until - ask.at)} ms too soon`)
    }
  }

  const remember: Judge["remember"] = (ask, quietMillis, now, subjects = [ask.path]) => {
    for (const subject of subjects) {
      // Forget the oldest when there are too many: a Map keeps them in order.
      if (quietUntil.size >= mostRemembered) quietUntil.delete(quietUntil.keys().next().value!)
      quietUntil.set(quietKeyOf(ask, subject), now + quietMillis)
    }
  }

  const pause = (scope: string, millis: number, now: number) => {
    const standing = pauses.get(scope)
    const from = standing !== undefined && standing.until > now ? standing.from : now + grace
    pauses.set(scope, { from, until: Math.max(now + millis, standing?.until ?? 0) })
  }

  return { violations: () => violations.slice(), accuse, hear, remember, forget: () => quietUntil.clear(), pause }
}

const keyOf = ({ method, path, upstream }: Ask): string => `${method} /${upstream}${path}`

/** A query that only serves to get around a cache does not make another thing; of a path with and without `/`, neither. */
const quietKeyOf = (ask: Ask, subject: string): string =>
  `${ask.client} ${ask.upstream}${subject.replace(/\/$/, "")} ${ask.query.get("type_id") ?? ""} ${
    ask.query.get("page") ?? ""
  }`
