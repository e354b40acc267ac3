/**
 * Wanderer, a mapper of wormholes, with one map. It tells totals, of all time or of the last days; all characters of a user
 * are one row, under the one that did most; and whoever made no jump that it remembers is missing. Behaviour of v1.101, which
 * forgets jumps after seven days and all else after twelve weeks, at midnight.
 */
import { slidingWindow } from "./Budgets.ts"
import { beginning } from "./Calendar.ts"
import type { Judge } from "./Judge.ts"
import { nameOf, pilotOf } from "./People.ts"
import { drawOf, randomOf } from "./Random.ts"
import { type Answer, type Ask, json, secondsHeader, type Upstream } from "./Upstream.ts"

export const mapSlug = "home"
export const mapKey = "public-key-of-home"

/** What one character did, as far as Wanderer remembers it. */
export interface MapCharacter {
  readonly character: number
  readonly corporation?: number
  readonly alliance?: number
  readonly passages: number
  readonly connections: number
  readonly signatures: number
}

/** The characters of one user each. */
export type MapUsers = ReadonlyArray<ReadonlyArray<MapCharacter>>

/** Who did what on the map by this instant, of the last so many days or of all that is remembered. */
export type MapState = (now: number, days: number | undefined) => MapUsers

/** Requests a minute from one address. */
const rate = 10_000

export const wanderer = (map: MapState, judge: Judge, speed: number): Upstream => {
  const requests = slidingWindow(rate * speed, 60_000)

  const answer = (ask: Ask): Answer => {
    if (requests.left(ask.at) === 0) {
      judge.accuse(ask, "budget", `more than ${rate * speed} requests within a minute`)
      const millis = 60_000 / speed
      return {
        ...json(429, { error: "Rate limit exceeded" }, { "retry-after": secondsHeader(millis, speed) }),
        pause: { scope: "wanderer", millis }
      }
    }
    requests.spend(1, ask.at)
    const slug = ask.query.get("slug")
    if (slug === null) return json(400, { error: "Map identifier required. Provide `map_id`/`slug` in query." })
    if (slug !== mapSlug) return json(404, { error: `Map not found for slug: ${slug}` })
    const token = /^Bearer (.*)$/.exec(ask.headers.authorization ?? "")?.[1]
    if (token === undefined) return json(401, { error: "Missing or invalid 'Bearer' token" })
    if (token !== mapKey) return json(401, { error: "Unauthorized (invalid token for map)" })
    switch (ask.path) {
      case "/api/map/character-activity":
        return activity(ask)
      case "/api/map/user_characters":
        return json(200, { data: map(ask.at, undefined).map(userOf) })
      default:
        return json(404, { errors: { detail: "Not Found" } })
    }
  }

  const activity = (ask: Ask): Answer => {
    const days = ask.query.get("days")
    if (days !== null && !/^[1-9]\d*$/.test(days)) return json(400, { error: "days must be a positive integer" })
    const users = map(ask.at, days === null ? undefined : Number(days))
    const timestamp = new Date(ask.at).toISOString()
    return json(200, { data: shuffled(users, ask.at).flatMap((user) => rowOf(user, timestamp)) })
  }

  return {
    name: "wanderer",
    environment: ["KILLMAILD_WANDERER_URL", "/wanderer"],
    scopeOf: () => "wanderer",
    answer
  }
}

const rowOf = (user: ReadonlyArray<MapCharacter>, timestamp: string) => {
  const seen = user.filter(({ passages }) => passages > 0)
  const [busiest] = seen.toSorted((a, b) => allOf(b) - allOf(a))
  const sum = (count: (character: MapCharacter) => number) => seen.reduce((all, each) => all + count(each), 0)
  return busiest === undefined ? [] : [{
    character: characterOf(busiest),
    passages: sum(({ passages }) => passages),
    connections: sum(({ connections }) => connections),
    signatures: sum(({ signatures }) => signatures),
    timestamp
  }]
}

const allOf = ({ connections, passages, signatures }: MapCharacter): number => passages + connections + signatures

const userOf = (user: ReadonlyArray<MapCharacter>) => ({
  characters: user.map(characterOf),
  main_character_eve_id: null
})

const characterOf = ({ alliance, character, corporation }: MapCharacter) => ({
  eve_id: String(character),
  name: nameOf(character) ?? "",
  corporation_id: corporation ?? null,
  corporation_ticker: corporation === undefined ? null : `C${corporation % 10_000}`,
  alliance_id: alliance ?? null,
  alliance_ticker: alliance === undefined ? null : `A${alliance % 10_000}`
})

/** No order is promised. */
const shuffled = (users: MapUsers, at: number): MapUsers =>
  users.map((user, index) => ({ user, draw: drawOf("order", at, index) }))
    .toSorted((a, b) => a.draw - b.draw)
    .map(({ user }) => user)

const dayMillis = 86_400_000

/** A map of the clock's world: a dozen users with up to three characters each, some busier than others. */
export const clockMap = (seed: string, speed: number): MapState => {
  const random = randomOf(seed, "map")
  const users = Array.from({ length: 12 }, () => {
    const first = random.whole(0, 20_000)
    return Array.from(
      { length: random.whole(1, 3) },
      (_, alt) => ({ pilot: pilotOf(seed, first + alt), zeal: random.next() })
    )
  })
  return (now, days) => {
    const elapsed = (now - beginning) * speed
    /** At so many a day, of those that are not forgotten. */
    const countOf = (aDay: number, forgottenAfter: number): number => {
      const upTo = (millis: number) => Math.floor(Math.max(0, millis) / dayMillis * aDay)
      const remembered = elapsed - elapsed % dayMillis - forgottenAfter * dayMillis
      return upTo(elapsed) - upTo(days === undefined ? remembered : Math.max(remembered, elapsed - days * dayMillis))
    }
    return users.map((user) =>
      user.map(({ pilot: { alliance, character, corporation }, zeal }) => ({
        character,
        corporation,
        ...(alliance === undefined ? {} : { alliance }),
        passages: countOf(40 * zeal, 7),
        connections: countOf(6 * zeal, 84),
        signatures: countOf(25 * zeal, 84)
      }))
    )
  }
}
