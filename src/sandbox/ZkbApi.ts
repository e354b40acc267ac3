/**
 * zKillboard's API, as far as it tells the killmails of a character, corporation or alliance: newest first, 200 a page or a
 * few less, at most 100 pages of a question. It errs with HTTP 200, and whoever errs too often is blocked.
 */
import { hashOf, type Killmail } from "../domain/Killmail.ts"
import { slidingWindow } from "./Budgets.ts"
import type { Judge } from "./Judge.ts"
import { newestMailsOf, type Universe } from "./Universe.ts"
import { type Answer, type Ask, json, secondsHeader, type Upstream } from "./Upstream.ts"
import { zkbOf } from "./Zkb.ts"

/** Its maintainer asks for one request a second; a little more is forgiven. */
const requestsIn10s = 12
/** Killmails are withheld for so long. */
const withheldMillis = 300_000
/** Of two pages; each other one is a little short. */
const twoPages = [200, 198] as const
const mostPages = 100
/** More errors than these in five minutes block the address. */
const mostErrors = 40
const errorWindow = 300_000

/** Every killmail that zKillboard has, in any order. */
export type Killboard = (now: number) => ReadonlyArray<Killmail>

/** The world of the clock's: what R2Z2 told last. */
export const killboardOf = (universe: Universe): Killboard => {
  const newest = newestMailsOf(universe)
  return (now) => newest(now).map(({ killmail }) => killmail)
}

export const zkbApi = (killboard: Killboard, judge: Judge, speed: number): Upstream => {
  const requests = slidingWindow(Math.max(1, Math.round(requestsIn10s * speed)), 10_000)
  const errors = slidingWindow(mostErrors, errorWindow / speed)

  const answer = (ask: Ask): Answer => {
    if (requests.left(ask.at) === 0) {
      judge.accuse(ask, "budget", `more than ${requestsIn10s * speed} requests within 10 s`)
      const millis = 10_000 / speed
      return {
        ...json(429, { error: "Too many requests" }, { "retry-after": secondsHeader(millis, speed) }),
        pause: { scope: "zkillboard", millis }
      }
    }
    requests.spend(1, ask.at)
    if (ask.path === "/api/blocked.json") return json(200, { error: "You have been blocked." })
    if (errors.left(ask.at) === 0) {
      return { status: 302, headers: { location: "/zkillboard/api/blocked.json" }, body: "" }
    }
    if (ask.query.size > 0) return { status: 403, headers: { "content-type": "text/html" }, body: "" }
    // The status line says so; few read it.
    if (!ask.path.endsWith("/")) return { status: 200, headers: { "content-type": "application/json" }, body: "" }
    return find(ask)
  }

  const refused = (ask: Ask, error: string): Answer => {
    errors.spend(1, ask.at)
    return json(200, { error })
  }

  const find = (ask: Ask): Answer => {
    const [, kind, id] = /^\/api\/(character|corporation|alliance)ID\/([1-9]\d*)\//.exec(ask.path) ?? []
    if (kind === undefined) return refused(ask, "Please provide an entity filter first.")
    const page = Number(/\/page\/(\d+)\//.exec(ask.path)?.[1] ?? 1)
    if (page > mostPages) return refused(ask, `page value > ${mostPages} not allowed`)
    const [, year, month = ""] = /\/year\/(\d{4})\/month\/(\d{1,2})\//.exec(ask.path) ?? []
    const told = ask.at - withheldMillis / speed
    const found = killboard(ask.at)
      .filter(({ killmail_time }) => Date.parse(killmail_time) <= told)
      .filter(({ killmail_time }) =>
        year === undefined || killmail_time.startsWith(`${year}-${month.padStart(2, "0")}`)
      )
      .filter((killmail) => involves(killmail, `${kind as Kind}_id`, Number(id)))
      .toSorted((a, b) => b.killmail_id - a.killmail_id)
    const [odd, even] = twoPages
    const from = Math.floor((page - 1) / 2) * (odd + even) + (page % 2 === 0 ? odd : 0)
    const mails = found.slice(from, from + (page % 2 === 0 ? even : odd))
    return json(200, mails.map((killmail) => ({ ...killmail, zkb: zkbOf(killmail, hashOf(killmail)) })), {
      "cache-control": "public, max-age=3600"
    })
  }

  return {
    name: "zkillboard",
    environment: ["KILLMAILD_ZKILLBOARD_URL", "/zkillboard"],
    scopeOf: () => "zkillboard",
    answer
  }
}

type Kind = "character" | "corporation" | "alliance"

const involves = ({ attackers, victim }: Killmail, field: `${Kind}_id`, id: number): boolean =>
  victim[field] === id || attackers.some((attacker) => attacker[field] === id)
