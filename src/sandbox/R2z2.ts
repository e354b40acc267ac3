/**
 * R2Z2, zKillboard's live feed: one static file a killmail, numbered, and one file that tells a recent number; and beside it
 * the lists of days that are over. Behaviour as documented by zKillboard and as observed by its users in 2026.
 */
import { slidingWindow } from "./Budgets.ts"
import { type History, listAt } from "./History.ts"
import { grace, type Judge } from "./Judge.ts"
import { drawOf } from "./Random.ts"
import type { Universe } from "./Universe.ts"
import { type Answer, type Ask, json, secondsHeader, type Upstream } from "./Upstream.ts"

/** Requests a second from one address. */
const rate = 15

/** The first ban. Whoever goes on asking is banned anew for as long, counted from then: hammering prolongs it. */
const ban = 5 * 60_000

/** At the head one waits so long before asking for the same number again; a little less is forgiven. */
const patience = 6_000
const forgiven = 50

/** `sequence.json` is meant for the start and for gaps, not to be polled. */
const sequencePatience = 3_000

/** It is written again when more numbers than this have passed, so it lags behind the head. */
const lag = 51

export const r2z2 = (
  universe: Universe,
  history: History,
  judge: Judge,
  speed: number,
  seed: string
): Upstream => {
  const requests = slidingWindow(Math.max(1, Math.round(rate * speed)), 1_000)
  let refusedAt = 0
  let bannedUntil = 0
  let bans = 0

  const answer = (ask: Ask): Answer => {
    const refusal = refuse(ask)
    if (refusal !== undefined) return refusal
    requests.spend(1, ask.at)
    if (ask.path === "/ephemeral/sequence.json") return sequenceFile(ask)
    const number = /^\/ephemeral\/(\d{1,15})\.json$/.exec(ask.path)?.[1]
    return number === undefined ? listAt(history, ask.path) ?? notFound : numberedFile(ask, Number(number))
  }

  const refuse = (ask: Ask): Answer | undefined => {
    if (ask.at < bannedUntil) {
      if (ask.at > refusedAt + grace) bannedUntil = Math.max(bannedUntil, ask.at + ban / speed)
    } else if (requests.left(ask.at) === 0) {
      judge.accuse(ask, "budget", `more than ${rate * speed} requests within a second`)
      refusedAt = ask.at
      bannedUntil = ask.at + ban / speed
      bans++
    } else return undefined
    const millis = bannedUntil - ask.at
    // Only half of the bans say when they end.
    const isTold = drawOf(seed, "ban", bans) < 0.5
    return {
      status: 429,
      headers: { "content-type": "text/plain", ...(isTold ? { "retry-after": secondsHeader(millis, speed) } : {}) },
      body: `exceeded rate limit of ${rate * speed}/s! ban will last up to 1 hour`,
      pause: { scope: "r2z2", millis }
    }
  }

  const sequenceFile = (ask: Ask): Answer => {
    const passed = Math.max(0, universe.head(ask.at) - universe.first + 1)
    const written = passed - passed % (lag + 1) - (ask.stale ? lag + 1 : 0)
    return {
      ...json(200, { sequence: universe.first - 1 + Math.max(0, written) }, {
        "cache-control": "public, max-age=86400"
      }),
      quietMillis: sequencePatience / speed
    }
  }

  const numberedFile = (ask: Ask, sequence: number): Answer => {
    if (sequence >= universe.first) universe.consumerCame(ask.at)
    if (sequence < universe.oldest(ask.at)) return notFound
    const file = sequence > universe.head(ask.at) ? "hole" : universe.file(sequence, ask.at, ask.stale)
    return file === "hole"
      ? { ...notFound, quietMillis: Math.max(0, patience / speed - forgiven) }
      : { status: 200, headers: { "content-type": "application/json" }, body: file.text }
  }

  return { name: "r2z2", environment: ["KILLMAILD_R2Z2_URL", "/r2z2"], scopeOf: () => "r2z2", answer }
}

const notFound: Answer = {
  status: 404,
  headers: { "content-type": "text/html" },
  body: "<html><head><title>Not Found</title></head><body><h1>Object not found</h1></body></html>"
}
