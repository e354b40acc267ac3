/** Pages and entries of EVE-KILL's feed. Ids that ESI leaves out are 0 in its bodies. */
import { type Effect, Schema } from "effect"
import { Id, KillmailHash, type KillmailRef } from "../domain/Killmail.ts"
import type { UpstreamError } from "./PoliteClient.ts"

/** Entries of one page at most. */
export const mostEntries = 1000

export const FeedPage = Schema.fromJsonString(Schema.Struct({
  /** Oldest first; each to be given to `readEntry`. */
  data: Schema.Array(Schema.Unknown),
  /** The number of the newest entry that there is. */
  latest: Schema.Int,
  hasMore: Schema.optionalKey(Schema.Boolean)
}))
export type FeedPage = typeof FeedPage.Type

/** What came after this number, at most so many entries. */
export type Poll = (after: number, limit: number) => Effect.Effect<FeedPage, UpstreamError>

const Entry = Schema.Struct({
  seq: Id,
  killmail_id: Id,
  killmail_hash: KillmailHash,
  data: Schema.optionalKey(Schema.Unknown)
})
const isEntry = Schema.is(Entry)
const isNumbered = Schema.is(Schema.Struct({ seq: Id }))

/** One number of the feed. */
export type FeedEntry =
  | (KillmailRef & { readonly seq: number; readonly body: unknown })
  /** It names no killmail; without a number, if it has none. */
  | { readonly seq: number | undefined; readonly text: string }

export const readEntry = (entry: unknown): FeedEntry =>
  isEntry(entry)
    ? { seq: entry.seq, killmail_id: entry.killmail_id, hash: entry.killmail_hash, body: asEsi(entry.data) }
    : { seq: isNumbered(entry) ? entry.seq : undefined, text: JSON.stringify(entry) }

/** A body as ESI would give it: an id of 0 is none. */
export const asEsi = (body: unknown): unknown => {
  if (!isFields(body)) return body
  const { attackers, victim } = body
  return withoutZeroIds({
    ...body,
    victim: withoutZeroIds(victim),
    attackers: Array.isArray(attackers) ? attackers.map(withoutZeroIds) : attackers
  })
}

const withoutZeroIds = (fields: unknown): unknown =>
  isFields(fields)
    ? Object.fromEntries(Object.entries(fields).filter(([name, value]) => value !== 0 || !name.endsWith("_id")))
    : fields

const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
