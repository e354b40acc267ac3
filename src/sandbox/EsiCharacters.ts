/** What ESI tells of a character to whom shows a token of it with the scope: skills, mail, orders, industry and planets. */
import { bucketOf, type Limit } from "./EsiLimits.ts"
import type { Judge } from "./Judge.ts"
import { pilotLife } from "./PilotLife.ts"
import type { SsoGrants } from "./SsoGrants.ts"
import { type Answer, type Ask, json } from "./Upstream.ts"

type Life = ReturnType<typeof pilotLife>

interface Route {
  readonly path: RegExp
  readonly scope: string
  /** Without one it counts in the old error limit. */
  readonly group?: string
  /** Milliseconds that an answer is good for. */
  readonly cache: number
  readonly body: (life: Life, ask: Ask) => unknown
}

const below = (rest: string) => new RegExp(`^(?:/latest|/v\\d)?/characters/(\\d{1,15})/${rest}/?$`)

/** OpenAPI document of 2026-08-18; each of these buckets has 600 tokens in 15 minutes, for each character. */
const bucketTokens = 600
const routes: ReadonlyArray<Route> = [
  {
    path: below("skills"),
    scope: "esi-skills.read_skills.v1",
    group: "char-detail",
    cache: 60_000,
    body: (life, { at }) => life.skills(at)
  },
  {
    path: below("skillqueue"),
    scope: "esi-skills.read_skillqueue.v1",
    group: "char-detail",
    cache: 60_000,
    body: (life, { at }) => life.skillQueue(at)
  },
  {
    path: below("mail"),
    scope: "esi-mail.read_mail.v1",
    group: "char-social",
    cache: 30_000,
    body: (life, { at, query }) => life.mail(at, Number(query.get("last_mail_id") ?? Number.POSITIVE_INFINITY))
  },
  {
    path: below("orders"),
    scope: "esi-markets.read_character_orders.v1",
    cache: 1_200_000,
    body: (life, { at }) => life.orders(at)
  },
  {
    path: below("orders/history"),
    scope: "esi-markets.read_character_orders.v1",
    cache: 3_600_000,
    body: (life, { at }) => life.orderHistory(at)
  },
  {
    path: below("industry/jobs"),
    scope: "esi-industry.read_character_jobs.v1",
    group: "char-industry",
    cache: 300_000,
    body: (life, { at }) => life.industryJobs(at)
  },
  {
    path: below("planets"),
    scope: "esi-planets.manage_planets.v1",
    group: "char-industry",
    cache: 600_000,
    body: (life, { at }) => life.planets(at)
  },
  {
    path: below("planets/(\\d{1,15})"),
    scope: "esi-planets.manage_planets.v1",
    group: "char-industry",
    cache: 600_000,
    body: (life, { at, path }) => life.colony(Number(/(\d+)\/?$/.exec(path)![1]), at)
  }
]

const routeOf = (path: string): Route | undefined => routes.find((route) => route.path.test(path))
export const characterDataRoute = { test: (path: string): boolean => routeOf(path) !== undefined }

/** What is paused when one of the buckets is empty. */
export const characterScopeOf = (path: string): string | undefined => {
  const route = routeOf(path)
  return route?.group === undefined ? undefined : `esi ${route.group} ${route.path.exec(path)![1]}`
}

export const esiCharacters = (
  holderOf: SsoGrants["holderOf"],
  judge: Judge,
  speed: number,
  cached: (ask: Ask, body: unknown, millis: number) => Answer
) => {
  const begun = Date.now()
  const buckets = new Map<string, Limit>()
  const limitFor = ({ group }: Route, characterId: number, path: string, limitless: Limit): Limit => {
    if (group === undefined) return limitless
    const key = `${group} ${characterId}`
    const bucket = buckets.get(key) ?? bucketOf(group, bucketTokens, speed, judge, characterScopeOf(path))
    buckets.set(key, bucket)
    return bucket
  }

  return (ask: Ask, limitless: Limit): Answer => {
    const route = routeOf(ask.path)!
    const id = Number(route.path.exec(ask.path)![1])
    const token = /^Bearer (.+)$/i.exec(ask.headers.authorization ?? "")?.[1]
    const holder = token === undefined ? undefined : holderOf(token, ask.at)
    // Whom nobody knows shares the old limit of the address.
    if (holder === undefined) {
      const error = token === undefined ? "authorization not provided" : "token is expired or not valid"
      return limitless.apply(ask, () => json(401, { error }))
    }
    return limitFor(route, holder.characterId, ask.path, limitless).apply(ask, () => {
      if (!holder.scopes.includes(route.scope)) {
        return json(403, { error: `token is not valid for scope: ${route.scope}` })
      }
      if (holder.characterId !== id) return json(403, { error: "token is not valid for this character" })
      const body = route.body(pilotLife(id, begun, speed), ask)
      return body === undefined ? json(404, { error: "Colony not found" }) : cached(ask, body, route.cache)
    })
  }
}
