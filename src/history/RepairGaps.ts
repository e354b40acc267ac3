/**
 * The job that makes good what the feeds did not tell: compares each day's count with zKillboard's, and has what is missing
 * of days with open gaps brought in. What was killed since a feed fell silent is announced, older killmails are stored like
 * history. A gap closes when nothing of its day is missing any more, which the next run sees.
 */
import { Array as Arr, Effect, Option, Schema, Stream } from "effect"
import { Id, KillmailHash, type KillmailRef } from "../domain/Killmail.ts"
import type { Day } from "../domain/Market.ts"
import { explainSql } from "../ExplainSql.ts"
import { type Heard, hearingOf, keyOf } from "../intake/Hearing.ts"
import * as Job from "../jobs/Job.ts"
import { handle } from "../jobs/JobRunner.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { Gaps, type OpenDay } from "../store/Gaps.ts"
import { Imports } from "../store/Imports.ts"
import type { UpstreamError } from "../upstreams/PoliteClient.ts"
import { ZkbHistory } from "../upstreams/ZkbHistory.ts"
import { daySources, type Hashes } from "./DaySources.ts"

export const RepairGaps = Job.make({
  name: "repair_gaps",
  payload: Schema.Struct({}),
  key: () => "repair_gaps",
  tier: "repair",
  every: 3_600_000,
  deadlineMillis: 1_800_000
})

/** So few are asked of ESI one by one, rather than download all bodies of the day. */
const fewEnoughForEsi = 20
/** Killmails that are put into the queue in one transaction. */
const batchSize = 200

export interface Repaired {
  /** Days that were found to be short; null where zKillboard could not be asked how many killmails each day has. */
  readonly short: number | null
  /** Days with open gaps, and of those the days of which nothing is missing any more. */
  readonly days: number
  readonly closed: number
  /** Killmails that are in the queue now. */
  readonly found: number
}

/** One run. Whoever cannot be asked is asked in the next one. */
export const repair = Effect.gen(function*() {
  const gaps = yield* Gaps
  const totals = yield* orNone(ZkbHistory.use((history) => Effect.asSome(history.totals)))
  const short = Option.isSome(totals) ? yield* gaps.compare(totals.value) : null
  const days = yield* gaps.open
  const missing = yield* Effect.forEach(days, repairDay)
  return {
    short,
    days: days.length,
    closed: missing.filter((count) => count === 0).length,
    found: missing.reduce((sum: number, count) => sum + (count ?? 0), 0)
  } satisfies Repaired as Repaired
})

export const repairGaps = handle(RepairGaps, () => Effect.interruptible(Effect.mapError(repair, explainSql)))

/** How many killmails of the day are missing; undefined while nobody has a list of it. */
const repairDay = Effect.fnUntraced(function*({ day, since }: OpenDay) {
  const gaps = yield* Gaps
  const askedAt = new Date()
  const lists = yield* Effect.forEach(daySources, ({ hashes }) => orNone(hashes(day)))
  if (lists.every(Option.isNone)) return undefined
  const refs = refsOf(lists)
  const { absent, coming } = yield* gaps.missing(refs)
  const missing = absent.size + coming
  if (missing > 0) {
    yield* gaps.note(day, missing)
    yield* bring(day, since ?? askedAt, refs.filter(({ killmail_id }) => absent.has(killmail_id)))
  } else if (yield* gaps.close(day, askedAt)) {
    yield* Imports.use((imports) => imports.noteEntities(day))
  }
  return missing
})

/** Puts these into the queue: with their bodies where there is a download of them, else for ESI to be asked. */
const bring = Effect.fnUntraced(function*(day: Day, since: Date, refs: ReadonlyArray<Ref>) {
  const feeds = yield* FeedStore
  const announcedFrom = since.toISOString()
  const wanted = new Map(refs.map((ref) => [ref.killmail_id, ref]))
  const hear = (source: string, heard: ReadonlyArray<Heard>) =>
    heard.length === 0
      ? Effect.void
      : feeds.hearFrom(source, heard.map((each) => hearingOf(source, "repair", { ...each, announcedFrom })))

  for (const { bodies, name } of daySources) {
    if (wanted.size <= fewEnoughForEsi) break
    const found = yield* orNone(bodies(day))
    if (Option.isNone(found)) continue
    yield* found.value.pipe(
      Stream.grouped(batchSize),
      Stream.runForEach(Effect.fnUntraced(function*(batch) {
        const heard = batch.flatMap(({ killmail_id, text }) => {
          const ref = wanted.get(killmail_id)
          return ref === undefined ? [] : [{ ...ref, body: bodyIn(text) }]
        })
        yield* hear(name, heard)
        for (const { killmail_id } of heard) wanted.delete(killmail_id)
      }))
    )
  }
  for (const batch of Arr.chunksOf(wanted.values(), batchSize)) yield* hear(batch[0]!.source, batch)
})

/** Of the killmails that somebody lists; who is asked first is believed. */
interface Ref extends KillmailRef {
  readonly key: string
  readonly source: string
}

const isHash = Schema.is(KillmailHash)

const refsOf = (lists: ReadonlyArray<Option.Option<Hashes>>): ReadonlyArray<Ref> => {
  const refs = new Map<number, Ref>()
  lists.forEach((list, index) => {
    for (const [id, hash] of Object.entries(Option.getOrElse(list, () => ({})))) {
      const killmail_id = Number(id)
      if (!Schema.is(Id)(killmail_id) || !isHash(hash) || refs.has(killmail_id)) continue
      refs.set(killmail_id, { killmail_id, hash, key: keyOf({ killmail_id, hash }), source: daySources[index]!.name })
    }
  })
  return [...refs.values()]
}

/** None, and a line in the log, when they cannot be asked. */
const orNone = <A, R>(question: Effect.Effect<Option.Option<A>, UpstreamError, R>) =>
  Effect.catchTag(
    question,
    ["UpstreamUnavailable", "UpstreamPaused"],
    ({ message }) => Effect.as(Effect.logWarning(`repair_gaps: ${message}`), Option.none<A>())
  )

/** One that cannot be read is none: then ESI is asked. */
const bodyIn = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
