/**
 * The bodies of a day, from EVE-KILL's feed. The feed is in the order of processing, about that of time: the day's beginning
 * is found by bisection, and read from there until an hour after its end. Killmails posted later are not found.
 */
import { Effect } from "effect"
import type { Day } from "../domain/Market.ts"
import { type FeedEntry, mostEntries, type Poll, readEntry } from "./EveKillFeed.ts"
import type { UpstreamError } from "./PoliteClient.ts"

/** Entries whose middle time stands for a place in the feed: some were processed long after the loss. */
const sample = 25
/** Entries; so near the beginning need not be known. */
const nearEnough = 500
/** Milliseconds by which the feed is read beyond the day, at both ends. */
const margin = 3_600_000

/** As one file, `{"137259365": {…}, …}`; undefined when the feed does not reach so far back. */
export const bodiesOfDay = Effect.fn("bodiesOfDay")(function*(poll: Poll, day: Day) {
  const begin = Date.parse(`${day}T00:00:00Z`) - margin
  const end = begin + 86_400_000 + 2 * margin
  const [oldest] = yield* entriesAfter(poll, 1, sample)
  if (oldest === undefined || (yield* timeAfter(poll, oldest.seq - 1)) >= end) return undefined
  let after = yield* lastBefore(poll, oldest.seq - 1, (yield* poll(0, 1)).latest, begin)
  const members: Array<string> = []
  for (;;) {
    const entries = yield* entriesAfter(poll, after, mostEntries)
    for (const { body, killmail_id, time } of entries) {
      if (new Date(time).toISOString().startsWith(day)) members.push(`"${killmail_id}":${JSON.stringify(body)}`)
    }
    if (entries.length === 0 || middleOf(entries) >= end) return Buffer.from(`{${members.join()}}`)
    after = entries.at(-1)!.seq
  }
})

/** A number near the last one whose time is before this one. */
const lastBefore = Effect.fnUntraced(function*(poll: Poll, first: number, latest: number, time: number) {
  let [low, high] = [first, latest]
  while (high - low > nearEnough) {
    const middle = Math.floor((low + high) / 2)
    if ((yield* timeAfter(poll, middle)) < time) low = middle
    else high = middle
  }
  return low
})

const timeAfter = (poll: Poll, after: number): Effect.Effect<number, UpstreamError> =>
  Effect.map(entriesAfter(poll, after, sample), middleOf)

/** Milliseconds since 1970; infinite where there is nothing any more. */
const middleOf = (entries: ReadonlyArray<{ readonly time: number }>): number =>
  entries.map(({ time }) => time).toSorted((a, b) => a - b)[entries.length >> 1] ?? Number.POSITIVE_INFINITY

/** Those with a body. */
const entriesAfter = (poll: Poll, after: number, limit: number) =>
  Effect.map(poll(Math.max(1, after), limit), ({ data }) => data.map(readEntry).flatMap(withTime))

const withTime = (entry: FeedEntry) => {
  if ("text" in entry) return []
  const time = Date.parse((entry.body as { readonly killmail_time?: string } | undefined)?.killmail_time ?? "")
  return Number.isNaN(time) ? [] : [{ ...entry, time }]
}
