/**
 * The live path as production runs it, but for the feed's server: this process hears killmails as a feed's actor does, and
 * the jobs of a daemon store them, one job a killmail, each with its body.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { type Heard, hearingOf } from "../intake/Hearing.ts"
import type { Mail } from "../sandbox/World.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { KillmailReader } from "../store/KillmailReader.ts"
import { Leases } from "../store/Leases.ts"

/** Killmails heard in one transaction. */
const heardAtOnce = 100
/** The feed stops while so many killmails are heard and not stored. */
const farthestAhead = 3000
/** Between two looks at how much is stored. */
const look = "5 millis"

const feed = "benchmark"

/** What R2Z2 says of a mail. */
export const heardOf = ({ hash, killmail, zkb }: Mail): Heard => ({
  killmail_id: killmail.killmail_id,
  hash,
  body: killmail,
  zkb
})

/** Hears these killmails and waits until the last one is stored and published; nobody else may publish meanwhile. */
export const hearAndStore = Effect.fnUntraced(function*(mails: ReadonlyArray<Mail>) {
  const feeds = yield* FeedStore
  const reader = yield* KillmailReader
  const lease = yield* (yield* Leases).acquire(feed)
  const before = yield* reader.lastSequence
  const stored = Effect.map(reader.lastSequence, (last) => last - before)
  for (let heard = 0; heard < mails.length; heard += heardAtOnce) {
    while (heard - (yield* stored) > farthestAhead) yield* Effect.sleep(look)
    const hearings = mails.slice(heard, heard + heardAtOnce).map((mail) => hearingOf(feed, "live", heardOf(mail)))
    yield* feeds.hear(lease, hearings, heard + hearings.length)
  }
  while ((yield* stored) < mails.length) yield* Effect.sleep(look)
}, Effect.scoped)

/** Ends when the queue has forgotten the killmails that are stored. */
export const queueIsEmpty = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  for (;;) {
    const jobs = yield* sql`
      select from graphile_worker.jobs where task_identifier = 'ingest_killmail' and run_at <= now() limit 1`
    if (jobs.length === 0) return
    yield* Effect.sleep(look)
  }
})
