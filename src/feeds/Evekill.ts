/**
 * EVE-KILL's durable feed: numbered entries with bodies, kept for a year and read a thousand at a time, so that a daemon that
 * was away catches up within minutes.
 */
import { Effect, Option } from "effect"
import { createHash } from "node:crypto"
import { Settings } from "../Settings.ts"
import { countFeedRequest } from "../telemetry/Metrics.ts"
import { EveKill } from "../upstreams/EveKill.ts"
import { type FeedEntry, type FeedPage, mostEntries, readEntry } from "../upstreams/EveKillFeed.ts"
import { patiently, type UpstreamError } from "../upstreams/PoliteClient.ts"
import { type Actor, type Source, timeOf } from "./Feed.ts"
import { makeLateNumbers } from "./LateNumbers.ts"
import { FeedUnavailable } from "./Upstream.ts"

const name = "evekill"
/** Milliseconds between two looks at the head. */
const lookMillis = 5_000
/** The feed's newest number is so far before our cursor only when it was numbered anew. */
const renumbered = 10_000

/** Asks for fewer where a page is larger than we read: one of fleet fights is a hundred times the usual one. */
const pageAfter = (cursor: number, limit: number): Effect.Effect<FeedPage, UpstreamError, EveKill> =>
  EveKill.use(({ poll }) => poll(cursor, limit)).pipe(
    Effect.tapErrorTag("UpstreamPaused", () => countFeedRequest(name, "refused")),
    Effect.tapErrorTag("UpstreamUnavailable", () => countFeedRequest(name, "error")),
    Effect.catchTag(
      "UpstreamUnavailable",
      (error) => error.isTooLarge === true && limit > 1 ? pageAfter(cursor, Math.ceil(limit / 10)) : Effect.fail(error)
    )
  )

const readAfter = (cursor: number, limit: number) =>
  patiently(pageAfter(cursor, limit)).pipe(
    Effect.tap(({ data }) => countFeedRequest(name, data.length === 0 ? "empty" : "ok")),
    Effect.catchTag("UpstreamUnavailable", ({ message }) => Effect.fail(new FeedUnavailable({ message })))
  )

const heardIn = (entries: ReadonlyArray<FeedEntry>) =>
  entries.flatMap((entry) =>
    "text" in entry ? [] : [{
      killmail_id: entry.killmail_id,
      hash: entry.hash,
      ...(entry.body === undefined ? {} : { body: entry.body }),
      publishedAt: timeOf(entry.body)
    }]
  )

/** Keeps what names no killmail, for people to look at. */
const skipUnreadable = Effect.fnUntraced(function*(actor: Actor, entries: ReadonlyArray<FeedEntry>) {
  for (const entry of entries) {
    if (!("text" in entry)) continue
    const key = `${name}:${entry.seq ?? createHash("sha1").update(entry.text).digest("hex").slice(0, 16)}`
    yield* actor.skip({
      reason: "undecodable",
      error: `entry ${entry.seq ?? "without a number"} names no killmail`,
      ...(entry.seq === undefined ? {} : { numbers: { from: entry.seq, to: entry.seq + 1 } }),
      entry: { key, text: entry.text.slice(0, 65_536) }
    })
  }
})

const listen = Effect.fnUntraced(function*(actor: Actor) {
  const { scheduleSpeed } = yield* Settings
  const late = makeLateNumbers(scheduleSpeed)

  // A fresh daemon begins after the newest entry: what came before is for backfills.
  const kept = yield* actor.cursor
  let cursor: number = Option.isSome(kept) ? kept.value : Math.max(1, (yield* readAfter(0, 1)).latest)
  if (Option.isNone(kept)) yield* actor.hear([], cursor)

  for (;;) {
    const page: FeedPage = yield* readAfter(cursor, mostEntries)
    if (page.latest < cursor - renumbered) {
      yield* Effect.logWarning(
        `evekill: its newest entry is ${page.latest}, long before our cursor ${cursor}: goes on there`
      )
      cursor = Math.max(1, page.latest)
      yield* actor.hear([], cursor)
      continue
    }
    const entries = page.data.map(readEntry)
    const numbers = entries.flatMap(({ seq }) => seq === undefined ? [] : [seq]).toSorted((a, b) => a - b)
    if (numbers.length === 0 && entries.length > 0) {
      return yield* new FeedUnavailable({ message: "EVE-KILL's feed has lost its numbers." })
    }
    const fresh = entries.filter(({ seq }) => seq === undefined || !late.isHeard(seq))
    // What is far behind the head will not change any more.
    const settled = page.hasMore === true ? numbers.at(-1) ?? cursor : late.settledUpTo(cursor, numbers)
    yield* skipUnreadable(actor, fresh)
    if (fresh.length > 0 || settled > cursor) yield* actor.hear(heardIn(fresh), settled)
    else yield* actor.healthy
    late.note(numbers, settled)
    cursor = settled
    if (page.hasMore !== true || numbers.length === 0) yield* Effect.sleep(lookMillis / scheduleSpeed)
  }
})

export const source: Source<Effect.Services<ReturnType<typeof listen>>> = { name, listen }
