/**
 * The killmails that a pilot's or a corporation's own ESI tells, to whom shows a token for it: 1,000 a page, newest first, and
 * a bucket of 30 tokens for each.
 */
import type { Killmail } from "../domain/Killmail.ts"
import type { Census } from "./Census.ts"
import { bucketOf, type Limit } from "./EsiLimits.ts"
import type { Judge } from "./Judge.ts"
import type { SsoGrants } from "./SsoGrants.ts"
import { type Answer, type Ask, json } from "./Upstream.ts"

const pageSize = 1000
const cacheMillis = 300_000
const bucketTokens = 30

const kinds = {
  characters: {
    field: "character_id",
    group: "char-killmail",
    scope: "esi-killmails.read_killmails.v1"
  },
  corporations: {
    field: "corporation_id",
    group: "corp-killmail",
    scope: "esi-killmails.read_corporation_killmails.v1"
  }
} as const
type Kind = keyof typeof kinds

export const ownKillmailsRoute = /^(?:\/latest|\/v\d)?\/(characters|corporations)\/(\d{1,15})\/killmails\/recent\/?$/

/** What is paused when one of the buckets is empty. */
export const ownScopeOf = (path: string): string | undefined => {
  const [, kind, id] = ownKillmailsRoute.exec(path) ?? []
  return kind === undefined ? undefined : `esi ${kinds[kind as Kind].group} ${id}`
}

/** What there is, in any order, with its hash. */
export type OwnMails = (
  field: "character_id" | "corporation_id",
  id: number,
  now: number
) => ReadonlyArray<{ readonly killmail: Killmail; readonly hash: string }>

export const involves = ({ attackers, victim }: Killmail, field: "character_id" | "corporation_id", id: number) =>
  victim[field] === id || attackers.some((attacker) => attacker[field] === id)

export const esiKillmails = (
  mails: OwnMails,
  census: Census,
  holderOf: SsoGrants["holderOf"],
  judge: Judge,
  speed: number,
  cached: (ask: Ask, body: unknown, millis: number) => Answer
) => {
  const buckets = new Map<string, Limit>()
  /** Of the application and the character whose token it is. */
  const bucketFor = (kind: Kind, characterId: number, path: string): Limit => {
    const key = `${kind} ${characterId}`
    const bucket = buckets.get(key) ?? bucketOf(kinds[kind].group, bucketTokens, speed, judge, ownScopeOf(path))
    buckets.set(key, bucket)
    return bucket
  }

  return (ask: Ask, limitless: Limit): Answer => {
    const [, kind, text] = ownKillmailsRoute.exec(ask.path) as unknown as readonly [string, Kind, string]
    const { field, scope } = kinds[kind]
    const id = Number(text)
    const token = /^Bearer (.+)$/i.exec(ask.headers.authorization ?? "")?.[1]
    const holder = token === undefined ? undefined : holderOf(token, ask.at)
    // Whom nobody knows shares the old limit of the address.
    if (holder === undefined) {
      const error = token === undefined ? "authorization not provided" : "token is expired or not valid"
      return limitless.apply(ask, () => json(401, { error }))
    }
    return bucketFor(kind, holder.characterId, ask.path).apply(ask, () => {
      if (!holder.scopes.includes(scope)) return json(403, { error: `token is not valid for scope: ${scope}` })
      const complaint = kind === "characters"
        ? holder.characterId === id ? undefined : "token is not valid for this character"
        : census.affiliationOf(holder.characterId).corporation_id !== id
        ? "Character is not in the corporation"
        : census.isDirector(holder.characterId)
        ? undefined
        : "Character does not have required role(s)"
      if (complaint !== undefined) return json(403, { error: complaint })
      const all = mails(field, id, ask.at).toSorted((a, b) => b.killmail.killmail_id - a.killmail.killmail_id)
      const pages = Math.max(1, Math.ceil(all.length / pageSize))
      const page = Number(ask.query.get("page") ?? 1)
      if (!Number.isSafeInteger(page) || page < 1) return json(400, { error: "page: wants a number from 1" })
      if (page > pages) return json(404, { error: "Requested page does not exist!" })
      const shown = all.slice((page - 1) * pageSize, page * pageSize)
        .map(({ hash, killmail }) => ({ killmail_hash: hash, killmail_id: killmail.killmail_id }))
      const answer = cached(ask, shown, cacheMillis)
      return { ...answer, headers: { ...answer.headers, "x-pages": String(pages) } }
    })
  }
}
