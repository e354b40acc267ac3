/**
 * ESI's routes about characters, corporations and alliances. None has a bucket: their errors count in the old error limit.
 * Bodies as in the OpenAPI document of 2026-08-18; a deleted character keeps its name, is in Doomheim, and is 404 by itself.
 */
import type { Census } from "./Census.ts"
import { type Answer, type Ask, json } from "./Upstream.ts"

/** Ids in one question. */
const mostIds = 1000

const affiliationCache = 3_600_000
const characterCache = 86_400_000
const corporationCache = 3_600_000

const version = "(?:/latest|/v\\d)?"
const routes = {
  names: new RegExp(`^${version}/universe/names/?$`),
  affiliation: new RegExp(`^${version}/characters/affiliation/?$`),
  character: new RegExp(`^${version}/characters/(\\d{1,15})/?$`),
  corporation: new RegExp(`^${version}/corporations/(\\d{1,15})/?$`),
  alliance: new RegExp(`^${version}/alliances/(\\d{1,15})/?$`)
}

export const entityRoute = { test: (path: string) => Object.values(routes).some((route) => route.test(path)) }

/** These take a POST. */
export const isQuestion = (path: string): boolean => routes.names.test(path) || routes.affiliation.test(path)

/** Nobody's affiliation is to be asked for again within the hour, in whatever company. */
export const subjectsOf = ({ body, path }: Ask): ReadonlyArray<string> =>
  routes.affiliation.test(path) ? (idsIn(body) ?? []).map((id) => `/characters/affiliation/${id}`) : [path]

export const esiEntities = (
  census: Census,
  speed: number,
  /** An answer that may be kept for so many milliseconds. */
  cached: (ask: Ask, body: unknown, millis: number) => Answer
) => {
  const names = (ids: ReadonlyArray<number>): Answer => {
    const rows = ids.map((id) => ({ category: categoryOf(id), id, name: census.nameOf(id) }))
    return rows.some(({ name }) => name === undefined)
      ? json(404, { error: "Ensure all IDs are valid before resolving." })
      : json(200, rows)
  }

  const affiliation = (ids: ReadonlyArray<number>): Answer =>
    ids.every(census.isCharacter)
      ? {
        ...json(200, ids.map((id) => ({ character_id: id, ...census.affiliationOf(id) }))),
        quietMillis: affiliationCache / speed
      }
      : json(400, { error: "Invalid character ID" })

  const character = (ask: Ask, id: number): Answer => {
    if (!census.isCharacter(id)) return json(404, { error: "Character not found" })
    if (census.isGone(id)) return json(404, { error: "Character has been deleted!" })
    return cached(ask, {
      achievement_score: id % 5_000,
      birthday: "2009-05-12T17:02:11Z",
      bloodline_id: 4,
      ...census.affiliationOf(id),
      gender: id % 2 === 0 ? "female" : "male",
      name: census.nameOf(id),
      race_id: 2,
      security_status: 0.0123
    }, characterCache)
  }

  const corporation = (ask: Ask, id: number): Answer => {
    if (!census.isCorporation(id) || census.nameOf(id) === undefined) {
      return json(404, { error: "Corporation not found" })
    }
    const alliance_id = census.allianceOf(id)
    return cached(ask, {
      ...(alliance_id === undefined ? {} : { alliance_id }),
      description: "",
      friendly_fire: "legal",
      home_station_id: 60_003_760,
      member_count: census.isGone(id) ? 0 : 1 + id % 900,
      name: census.nameOf(id),
      shares: 1_000,
      state: census.isGone(id) ? "closed" : "active",
      tax_rates: { isk: 10, loyalty_point: 0 },
      ticker: tickerOf(id, census),
      type: id < 2_000_000 ? "npc_owned" : "player_owned",
      war_eligible: id >= 2_000_000
    }, corporationCache)
  }

  const alliance = (ask: Ask, id: number): Answer =>
    census.isAlliance(id)
      ? cached(ask, {
        creator_corporation_id: 98_000_000,
        creator_id: 90_000_000,
        date_founded: "2017-10-01T12:00:00Z",
        ...(census.isGone(id) ? {} : { executor_corporation_id: 98_000_000 }),
        name: census.nameOf(id),
        ticker: tickerOf(id, census)
      }, corporationCache)
      : json(404, { error: "Alliance not found" })

  return (ask: Ask): Answer => {
    if (isQuestion(ask.path)) {
      const ids = idsIn(ask.body)
      if (ids === undefined) return json(400, { error: `body: wants 1 to ${mostIds} different ids` })
      return routes.names.test(ask.path) ? names(ids) : affiliation(ids)
    }
    const id = Number(/\d+\/?$/.exec(ask.path)![0].replace("/", ""))
    return routes.character.test(ask.path)
      ? character(ask, id)
      : routes.corporation.test(ask.path)
      ? corporation(ask, id)
      : alliance(ask, id)
  }
}

const idsIn = (body: string): ReadonlyArray<number> | undefined => {
  let ids: unknown
  try {
    ids = JSON.parse(body)
  } catch {
    return undefined
  }
  const fits = Array.isArray(ids) && ids.length > 0 && ids.length <= mostIds && new Set(ids).size === ids.length &&
    ids.every(Number.isSafeInteger)
  return fits ? ids as ReadonlyArray<number> : undefined
}

const categoryOf = (id: number): string =>
  id < 500_000
    ? "inventory_type"
    : id < 1_000_000
    ? "faction"
    : id < 2_000_000
    ? "corporation"
    : id < 4_000_000
    ? "character"
    : id < 20_000_000
    ? "region"
    : id < 30_000_000
    ? "constellation"
    : id < 40_000_000
    ? "solar_system"
    : id < 90_000_000
    ? "station"
    : id < 98_000_000 || id >= 100_000_000
    ? "character"
    : id < 99_000_000
    ? "corporation"
    : "alliance"

/** The initials of the name, and a letter that tells namesakes apart. */
const tickerOf = (id: number, census: Census): string =>
  census.nameOf(id)!.split(" ").map((word) => word[0]).join("").toUpperCase() + String.fromCharCode(65 + id % 26)
