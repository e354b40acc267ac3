/** What it means to hear of a killmail: who may name one, and the job that follows. The handler is in IngestKillmail.ts. */
import { Schema } from "effect"
import { Id, KillmailHash, type KillmailRef } from "../domain/Killmail.ts"
import * as Job from "../jobs/Job.ts"
import type { Hearing } from "../store/FeedStore.ts"

/** A killmail as somebody named it, unchecked but for its id and hash. */
export interface Heard extends KillmailRef {
  readonly body?: unknown
  /** What zKillboard says of it. */
  readonly zkb?: unknown
  /** When the feed published it, in milliseconds since 1970. */
  readonly publishedAt?: number | undefined
  /** ISO time: killed before, it is stored and not announced. */
  readonly announcedFrom?: string
}

/** For `announcedFrom`: of history, which is never news. */
export const neverAnnounced = "9999-12-31T00:00:00Z"

/** Another hash of the same killmail is another job: one of the two may be wrong. */
export const keyOf = ({ hash, killmail_id }: KillmailRef): string => `killmail:${killmail_id}:${hash}`

/** Work to do for one killmail that was heard of and is not in the ledger. */
export const IngestKillmail = Job.make({
  name: "ingest_killmail",
  payload: Schema.Struct({
    killmail_id: Id,
    hash: KillmailHash,
    source: Schema.String,
    /** ISO time at which it was heard of. */
    heard_at: Schema.String,
    body: Schema.optionalKey(Schema.NullOr(Schema.Unknown)),
    zkb: Schema.optionalKey(Schema.NullOr(Schema.Unknown)),
    /** ISO time: killed before, it is stored and not announced. */
    announced_from: Schema.optionalKey(Schema.String),
    traceparent: Schema.optionalKey(Schema.NullOr(Schema.String))
  }),
  key: keyOf,
  tier: "live"
})
export type IngestPayload = typeof IngestKillmail.payload.Type

/** What the store's `hear_killmails` takes for one naming. */
export const hearingOf = (
  source: string,
  tier: Job.Tier,
  { announcedFrom, body, hash, killmail_id, zkb }: Heard,
  traceparent?: string
): Hearing => ({
  killmail_id,
  key: keyOf({ killmail_id, hash }),
  priority: Job.tiers[tier],
  hasBody: body !== undefined && body !== null,
  zkb,
  payload: {
    killmail_id,
    hash,
    source,
    heard_at: new Date().toISOString(),
    ...(body === undefined || body === null ? {} : { body }),
    ...(zkb === undefined || zkb === null ? {} : { zkb }),
    ...(announcedFrom === undefined ? {} : { announced_from: announcedFrom }),
    ...(traceparent === undefined ? {} : { traceparent })
  } satisfies IngestPayload
})
