/**
 * ESI, EVE's own API (compatibility date 2026-08-18): killmails, the server's status and one route of the old kind. Limits,
 * headers and error bodies as in the OpenAPI document of that date and as observed.
 */
import { createHash } from "node:crypto"
import { STATUS_CODES } from "node:http"
import type { Killmail } from "../domain/Killmail.ts"
import type { Census } from "./Census.ts"
import { characterDataRoute, characterScopeOf, esiCharacters } from "./EsiCharacters.ts"
import { entityRoute, esiEntities, isQuestion, subjectsOf } from "./EsiEntities.ts"
import { esiKillmails, involves, ownKillmailsRoute, type OwnMails, ownScopeOf } from "./EsiKillmails.ts"
import { bucketOf, errorLimitOf } from "./EsiLimits.ts"
import { esiMarkets } from "./EsiMarkets.ts"
import { universeBody, universeFreshness, universeRoute } from "./EsiUniverse.ts"
import type { Judge } from "./Judge.ts"
import type { Market } from "./Market.ts"
import type { SsoGrants } from "./SsoGrants.ts"
import { newestMailsOf, type Universe } from "./Universe.ts"
import { type Answer, type Ask, json, type Upstream } from "./Upstream.ts"

/** A killmail never changes; 30 days is how long ESI says so. In milliseconds, like the other. */
const killmailCache = 30 * 24 * 3_600_000
const statusCache = 30_000

export interface Esi extends Upstream {
  readonly know: (killmail: Killmail, hash: string) => void
  /** The game server behind ESI goes down, as every day at 11:00 UTC, or comes up again. */
  readonly tranquility: (down: boolean) => void
}

export const esi = (
  universe: Universe,
  census: Census,
  market: Market,
  judge: Judge,
  speed: number,
  holderOf: SsoGrants["holderOf"] = () => undefined
): Esi => {
  const taught = new Map<number, Map<string, Killmail>>()
  const killmailBucket = bucketOf("killmail", 3600, speed, judge)
  const statusBucket = bucketOf("status", 600, speed, judge)
  const errorLimit = errorLimitOf(speed, judge)
  let isDown = false
  let failures = 0

  const answer = (ask: Ask): Answer => {
    const route = routeOf(ask.path)
    if (route === "own killmails" && !isDown) return errorLimit.refusal(ask) ?? ownKillmails(ask, errorLimit)
    if (route === "character data" && !isDown) return errorLimit.refusal(ask) ?? characterData(ask, errorLimit)
    const limit = route === "killmail" ? killmailBucket : route === "status" ? statusBucket : errorLimit
    return errorLimit.refusal(ask) ?? limit.apply(ask, () => {
      if (isDown) return downtime(route === "status" ? 0 : failures++)
      const complaint = badDate(ask)
      if (complaint !== undefined) return json(400, { error: complaint })
      switch (route) {
        case "killmail":
          return killmail(ask)
        case "status":
          return status(ask)
        case "universe":
          return universeFact(ask)
        case "entity":
          return entities(ask)
        case "market history":
          return markets.history(ask, Number(historyRoute.exec(ask.path)![1]))
        case "market prices":
          return markets.prices(ask)
        case "own killmails":
        case "character data":
        case undefined:
          return json(404, { error: "Not found" })
      }
    })
  }

  const killmail = (ask: Ask): Answer => {
    const [, id, hash] = killmailRoute.exec(ask.path)!
    const mails = taught.get(Number(id)) ?? universe.known(Number(id), ask.at)
    if (mails.size === 0) return json(404, { error: "Killmail not found" })
    const found = mails.get(hash!)
    if (found === undefined) return json(422, { error: "Invalid killmail_id and/or killmail_hash" })
    return cached(ask, found, killmailCache, new Date(found.killmail_time))
  }

  const status = (ask: Ask): Answer =>
    cached(
      ask,
      {
        players: 18_000 + Math.round(6_000 * Math.sin(ask.at / 86_400_000 * 2 * Math.PI)),
        server_version: "3444265",
        start_time: new Date(ask.at - (ask.at - elevenOClock) % 86_400_000).toISOString().slice(0, 19) + "Z",
        vip: false
      },
      statusCache,
      new Date(ask.at)
    )

  const universeFact = (ask: Ask): Answer => {
    const body = universeBody(ask.path)
    return body === undefined
      ? json(404, { error: "Not found!" })
      : cached(ask, body, universeFreshness(ask.at), new Date(ask.at))
  }

  /** 200 with all the headers of a cache, or 304 with no body to a client that has it already. */
  const cached = (ask: Ask, body: unknown, millis: number, modified: Date): Answer => {
    const text = JSON.stringify(body)
    const etag = `W/"${createHash("sha1").update(text).digest("hex")}"`
    const headers = {
      "cache-control": "public",
      etag,
      expires: new Date(ask.at + millis / speed).toUTCString(),
      "last-modified": modified.toUTCString(),
      // The date of the route's own version, which for all of these is the oldest.
      "x-compatibility-date": "2020-01-01"
    }
    return ask.headers["if-none-match"] === etag
      ? { status: 304, headers, quietMillis: millis / speed }
      : { ...json(200, body, headers), quietMillis: millis / speed }
  }

  const cachedNow = (ask: Ask, body: unknown, millis: number) => cached(ask, body, millis, new Date(ask.at))
  const markets = esiMarkets(market, judge, speed, cachedNow)
  const entities = esiEntities(census, speed, cachedNow)
  // Every pilot is told their part of it.
  const told = newestMailsOf(universe)
  const ownMails: OwnMails = (field, id, now) => [
    ...told(now).filter(({ killmail }) => involves(killmail, field, id)),
    ...[...taught.values()].flatMap((mails) =>
      [...mails].flatMap(([hash, killmail]) => involves(killmail, field, id) ? [{ killmail, hash }] : [])
    )
  ]
  const ownKillmails = esiKillmails(ownMails, census, holderOf, judge, speed, cachedNow)

  const characterData = esiCharacters(holderOf, judge, speed, cachedNow)

  return {
    name: "esi",
    environment: ["KILLMAILD_ESI_URL", "/esi"],
    scopeOf: (path) => {
      const route = routeOf(path)
      return route === "killmail" || route === "status"
        ? `esi ${route}`
        : ownScopeOf(path) ?? characterScopeOf(path) ?? "esi"
    },
    answer,
    takesPost: isQuestion,
    subjectsOf,
    know: (mail, hash) => {
      const mails = taught.get(mail.killmail_id) ?? new Map<string, Killmail>()
      taught.set(mail.killmail_id, mails.set(hash, mail))
    },
    tranquility: (down) => {
      isDown = down
    }
  }
}

// Versions before the path still answer "for the foreseeable future".
const killmailRoute = /^(?:\/latest|\/v\d)?\/killmails\/(\d{1,15})\/([0-9a-f]{40})\/?$/
const statusRoute = /^(?:\/latest|\/v\d)?\/status\/?$/

const historyRoute = /^(?:\/latest|\/v\d)?\/markets\/(\d{1,15})\/history\/?$/
const pricesRoute = /^(?:\/latest|\/v\d)?\/markets\/prices\/?$/

const routes = {
  killmail: killmailRoute,
  status: statusRoute,
  universe: universeRoute,
  entity: entityRoute,
  "own killmails": ownKillmailsRoute,
  "character data": characterDataRoute,
  "market history": historyRoute,
  "market prices": pricesRoute
}

const routeOf = (path: string): keyof typeof routes | undefined =>
  (Object.keys(routes) as ReadonlyArray<keyof typeof routes>).find((route) => routes[route].test(path))

const elevenOClock = 11 * 3_600_000

/** What is wrong with the compatibility date; "today" begins at 11:00 UTC. No date is fine, and means the oldest. */
const badDate = (ask: Ask): string | undefined => {
  const header = ask.headers["x-compatibility-date"]
  const date = (Array.isArray(header) ? header[0] : header) ?? ask.query.get("compatibility_date") ?? undefined
  if (date === undefined) return undefined
  const parsed = /^\d{4}-\d{2}-\d{2}$/.test(date) ? Date.parse(date) : Number.NaN
  if (Number.isNaN(parsed)) return `compatibility date "${date}" is not a date`
  return parsed > ask.at - elevenOClock ? `compatibility date ${date} is in the future` : undefined
}

/** Sometimes the proxy's HTML, sometimes ESI's own JSON. */
const downtime = (count: number): Answer =>
  count % 2 === 0 ? htmlError(503) : json(504, { error: "Timeout contacting tranquility", timeout: 10 })

export const htmlError = (status: number): Answer => {
  const title = `${status} ${STATUS_CODES[status] ?? ""}`
  return {
    status,
    headers: { "content-type": "text/html" },
    body:
      `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n</body>\r\n</html>\r\n`
  }
}
