/**
 * A backfill by jobs of single killmails: the queue is kept full of old ones with their bodies, and among them are some without,
 * for which ESI would have to be asked, whose budget is spent.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { hearingOf } from "../intake/Hearing.ts"
import type { Mail } from "../sandbox/World.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { Leases } from "../store/Leases.ts"
import { RateLimits } from "../store/RateLimits.ts"
import { heardOf } from "./LivePath.ts"
import { takeMails } from "./Mails.ts"

const feed = "history"
/** Jobs that wait, at least. */
const waiting = 2000
/** Few at once, as this process measures, too, and must not be held up. */
const heardAtOnce = 25
/** One in so many has no body. */
const bodiless = 20

/** Of ESI's group `killmail`, for as long as a benchmark takes. */
const spendBudget = Effect.flatMap(
  RateLimits,
  (limits) => limits.observe({ bucket: "esi:killmail", limit: 3600, windowMillis: 900_000, remaining: 0 })
)

const hearingOfOld = (mail: Mail, index: number) => {
  const { body, ...bare } = heardOf(mail)
  return hearingOf(feed, "backfill", index % bodiless === 0 ? bare : { ...bare, body })
}

/** Goes on for ever. */
export const backfill = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const feeds = yield* FeedStore
  const lease = yield* (yield* Leases).acquire(feed)
  yield* spendBudget
  for (let heard = 0;;) {
    const [queued] = yield* sql<{ jobs: number }>`
      select count(*)::int as jobs from graphile_worker.jobs
      where task_identifier = 'ingest_killmail' and priority = 30 and locked_at is null and run_at <= now()`
    for (const end = heard + waiting - queued!.jobs; heard < end; heard += heardAtOnce) {
      yield* feeds.hear(lease, takeMails(heardAtOnce).map(hearingOfOld), heard)
      yield* Effect.sleep("1 millis")
    }
    yield* Effect.sleep("20 millis")
  }
}).pipe(Effect.scoped)
