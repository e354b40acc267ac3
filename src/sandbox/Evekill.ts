/**
 * EVE-KILL's API as its code of 2026 has it: the feed that is read from a number on, and the hashes of each day. Ids that ESI
 * leaves out are 0 in half of its bodies, and times have milliseconds.
 */
import { hashOf, type Killmail } from "../domain/Killmail.ts"
import { slidingWindow } from "./Budgets.ts"
import type { Entry, EveKillFeed } from "./EveKillFeed.ts"
import type { History } from "./History.ts"
import type { Judge } from "./Judge.ts"
import { type Answer, type Ask, json, secondsHeader, type Upstream } from "./Upstream.ts"

/** Requests a minute from one address. */
const rate = 600
const minute = 60_000

const mostEntries = 1000

export const evekill = (feed: EveKillFeed, history: History, judge: Judge, speed: number): Upstream => {
  const size = Math.max(1, Math.round(rate * speed))
  const requests = slidingWindow(size, minute)

  const answer = (ask: Ask): Answer => {
    if (ask.client === "") return json(400, { error: "A User-Agent header is required." })
    const left = requests.left(ask.at)
    if (left === 0) {
      judge.accuse(ask, "budget", `more than ${size} requests within a minute`)
      const millis = requests.waitFor(1, ask.at)
      return {
        ...json(429, { error: "Too many requests" }, {
          ...limitHeaders(0, millis),
          "retry-after": secondsHeader(millis, speed)
        }),
        pause: { scope: "evekill", millis }
      }
    }
    requests.spend(1, ask.at)
    const { headers, ...found } = route(ask)
    return { ...found, headers: { ...headers, ...limitHeaders(left - 1, requests.waitFor(size, ask.at)) } }
  }

  const limitHeaders = (left: number, millis: number) => ({
    "ratelimit-limit": String(size),
    "ratelimit-remaining": String(left),
    "ratelimit-reset": secondsHeader(millis, speed)
  })

  const route = (ask: Ask): Answer => {
    if (ask.path === "/feed/poll") return poll(ask)
    if (ask.path === "/history") {
      return json(200, { data: [...history.counts()].map(([date, count]) => ({ date, count })) })
    }
    const day = /^\/history\/(\d{4}-\d\d-\d\d)$/.exec(ask.path)?.[1]
    return day === undefined ? json(404, { error: "Not found" }) : hashesOf(day)
  }

  const hashesOf = (day: string): Answer => {
    const { killmails } = history.day(day) ?? { killmails: [] }
    return json(200, {
      data: Object.fromEntries(killmails.map((killmail) => [killmail.killmail_id, hashOf(killmail)]))
    })
  }

  const poll = (ask: Ask): Answer => {
    const after = Number(ask.query.get("after") ?? 0)
    const limit = Math.min(mostEntries, Math.max(1, Number(ask.query.get("limit") ?? 100) || 100))
    if (!(Number.isSafeInteger(after) && after >= 0)) return json(400, { error: "after must be a sequence number" })
    const latest = feed.latest(ask.at)
    const found = after === 0 ? [] : feed.after(after, limit + 1, ask.at)
    const data = found.slice(0, limit)
    const newest = data.findLast((entry) => "seq" in entry)
    return json(200, {
      data: data.map((entry) => "raw" in entry ? entry.raw : entryOf(entry)),
      latest,
      hasMore: found.length > limit,
      next: `/feed/poll?after=${newest?.seq ?? (after === 0 ? latest : after)}&limit=${limit}`,
      last: `/feed/poll?after=${latest}&limit=${limit}`
    })
  }

  return { name: "evekill", environment: ["KILLMAILD_EVEKILL_URL", "/evekill"], scopeOf: () => "evekill", answer }
}

const entryOf = ({ hash, killmail, seq }: Entry) => ({
  seq,
  killmail_id: killmail.killmail_id,
  killmail_hash: hash,
  data: killmail.killmail_id % 2 === 0 ? killmail : withZeroIds(killmail)
})

const party = { character_id: 0, corporation_id: 0, alliance_id: 0, faction_id: 0, ship_type_id: 0 }

const withZeroIds = ({ attackers, killmail_time, victim, ...rest }: Killmail) => ({
  moon_id: 0,
  war_id: 0,
  ...rest,
  killmail_time: killmail_time.replace("Z", ".000Z"),
  victim: { ...party, ...victim },
  attackers: attackers.map((attacker) => ({ ...party, weapon_type_id: 0, ...attacker }))
})
