/**
 * EVE-KILL's API: a feed that can be read from any place of the last year on, with bodies, and for each day the ids and hashes
 * of its killmails. Ids that ESI leaves out are 0 there. Protocol of 2026: the paths are the same on its older host.
 */
import { Context, Effect, Layer, Option, Schema } from "effect"
import { Id, KillmailHash, type KillmailRef } from "../domain/Killmail.ts"
import type { Day } from "../domain/Market.ts"
import { Settings } from "../Settings.ts"
import { makePoliteClient, type UpstreamError, UpstreamUnavailable } from "./PoliteClient.ts"

/** 600 requests a minute are allowed; half of that, as other programs may share our address. */
const budget = { bucket: "evekill", limit: 5, windowMillis: 1000 }
/** A thousand killmails are some megabytes. */
const deadlineMillis = 30_000

/** Entries of one page at most. */
export const mostEntries = 1000

export interface FeedPage {
  /** Oldest first; each to be given to `readEntry`. */
  readonly data: ReadonlyArray<unknown>
  /** The number of the newest entry that there is. */
  readonly latest: number
  readonly hasMore: boolean
}

const Page = Schema.fromJsonString(Schema.Struct({
  data: Schema.Array(Schema.Unknown),
  latest: Schema.Int,
  hasMore: Schema.optionalKey(Schema.Boolean)
}))

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

const Totals = Schema.fromJsonString(Schema.Struct({
  data: Schema.Array(Schema.Struct({ date: Schema.String, count: Schema.Int }))
}))
const Hashes = Schema.fromJsonString(Schema.Struct({ data: Schema.Record(Schema.String, Schema.String) }))

export class EveKill extends Context.Service<EveKill, {
  /** What came after this number; nothing but `latest` after 0, all there is after 1. `limit` is at most `mostEntries`. */
  readonly poll: (after: number, limit: number) => Effect.Effect<FeedPage, UpstreamError>
  /** How many killmails each day has. */
  readonly totals: Effect.Effect<ReadonlyMap<Day, number>, UpstreamError>
  /** The hashes of a day's killmails, by id; empty for a day that it does not know. */
  readonly hashes: (day: Day) => Effect.Effect<Readonly<Record<string, string>>, UpstreamError>
}>()("killmaild/upstreams/EveKill") {
  static readonly layer = Layer.effect(
    EveKill,
    Effect.gen(function*() {
      const { evekillUrl } = yield* Settings
      const client = yield* makePoliteClient({ name: "EVE-KILL", base: evekillUrl, budget, deadlineMillis })

      const poll: EveKill["Service"]["poll"] = Effect.fnUntraced(function*(after, limit) {
        const page = yield* client.json(`/feed/poll?after=${after}&limit=${limit}`, Page)
        if (Option.isNone(page)) return yield* new UpstreamUnavailable({ message: "EVE-KILL has no /feed/poll." })
        const { data, hasMore = false, latest } = page.value
        return { data, latest, hasMore }
      })

      const totals = Effect.map(client.json("/history", Totals), (answer) =>
        new Map(
          Option.match(answer, { onNone: () => [], onSome: ({ data }) => data }).map(({ count, date }) => [date, count])
        ))

      const hashes: EveKill["Service"]["hashes"] = (day) =>
        Effect.map(client.json(`/history/${day}`, Hashes), (answer) => Option.isSome(answer) ? answer.value.data : {})

      return EveKill.of({ poll, totals, hashes })
    })
  )
}
