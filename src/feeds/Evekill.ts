/**
 * EVE-KILL's durable feed: numbered entries with bodies, kept for a year and read a thousand at a time, so that a daemon that
 * was away catches up within minutes. Numbers are given out before their entries can be seen, so one may appear after a later
 * one: at the head the cursor waits a while before a number that is missing.
 */
import { Effect, Option } from "effect"
import { createHash } from "node:crypto"
import { Settings } from "../Settings.ts"
import { countFeedRequest } from "../telemetry/Metrics.ts"
import { EveKill } from "../upstreams/EveKill.ts"
import { type FeedEntry, type FeedPage, mostEntries, readEntry } from "../upstreams/EveKillFeed.ts"
import { patiently, type UpstreamError } from "../upstreams/PoliteClient.ts"
import { type Actor, type Source, timeOf } from "./Feed.ts"
import { FeedUnavailable } from "./Upstream.ts"

const name = "evekill"
/** Milliseconds between two looks at the head. */
const lookMillis = 5_000
/** Milliseconds for which a missing number may still appear; then it never was one. */
const lateMillis = 30_000
/** The feed's newest number is so far before our cursor only when it was numbered anew. */
const renumbered = 10_000

/**
 * Up to where all that came after the cursor is there, but for numbers that were missed for long enough. `missedFor` tells
 * for how many milliseconds a number has been missed, and hears of each that is.
 */
export const settledUpTo = (
  cursor: number,
  numbers: ReadonlyArray<number>,
  missedFor: (number: number) => number
): number => {
  let settled = cursor
  let isWhole = true
  let before = cursor
  for (const number of numbers) {
    if (number > before + 1 && missedFor(before + 1) < lateMillis) isWhole = false
    if (isWhole) settled = number
    before = number
  }
  return settled
}

/** After how many entries fewer must be asked for is not known before: a page of fleet fights is a hundred times larger. */
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

const listen = Effect.fnUntraced(function*(actor: Actor) {
  const { scheduleSpeed } = yield* Settings
  /** Beyond the cursor, heard of while it waits. */
  const heard = new Set<number>()
  const missedSince = new Map<number, number>()
  const missedFor = (number: number): number => {
    const since = missedSince.get(number) ?? Date.now()
    missedSince.set(number, since)
    return (Date.now() - since) * scheduleSpeed
  }
  const forgetUpTo = (cursor: number) => {
    for (const number of [...heard, ...missedSince.keys()]) {
      if (number > cursor) continue
      heard.delete(number)
      missedSince.delete(number)
    }
  }

  const skipUnreadable = Effect.fnUntraced(function*(entries: ReadonlyArray<FeedEntry>) {
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
    const fresh = entries.filter(({ seq }) => seq === undefined || !heard.has(seq))
    // What is far behind the head will not change any more.
    const settled = page.hasMore === true ? numbers.at(-1) ?? cursor : settledUpTo(cursor, numbers, missedFor)
    yield* skipUnreadable(fresh)
    if (fresh.length > 0 || settled > cursor) yield* actor.hear(heardIn(fresh), settled)
    else yield* actor.healthy
    for (const number of numbers) heard.add(number)
    cursor = settled
    forgetUpTo(cursor)
    if (page.hasMore !== true) yield* Effect.sleep(lookMillis / scheduleSpeed)
  }
})

export const source: Source<Effect.Services<ReturnType<typeof listen>>> = { name, listen }
