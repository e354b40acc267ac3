/**
 * `killmaild backfill zkillboard --character ID`: what zKillboard has of one character, corporation or alliance, page by page.
 * Each page goes into the queue at once; to begin again costs some requests and stores nothing twice.
 */
import { Effect } from "effect"
import { isWithin, type Range } from "../domain/Days.ts"
import { firstDay } from "../history/Days.ts"
import { hearingOf, IngestKillmail, keyOf, neverAnnounced } from "../intake/Hearing.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { Imports } from "../store/Imports.ts"
import { patiently, type UpstreamError } from "../upstreams/PoliteClient.ts"
import { type Entry, mostPages, type Question, ZkbApi } from "../upstreams/ZkbApi.ts"
import { lookMillis, takePart, throughRestarts } from "./BackfillDays.ts"
import { print } from "./Output.ts"
import { makeProgress, waitFor } from "./Progress.ts"
import { refuse } from "./Refusal.ts"

const source = "zkillboard"

export interface EntityOutcome {
  /** Killmails that zKillboard named, that were not here, and of those that could not be had. */
  readonly killmails: number
  readonly added: number
  readonly refused: number
  readonly seconds: number
}

/** Ends when all that was named is stored, or refused for good. */
export const backfillEntity = Effect.fnUntraced(function*(question: Question, range: Range, silent: boolean) {
  const beginning = performance.now()
  const feeds = yield* FeedStore
  const imports = yield* Imports
  const queue = yield* JobQueue
  const report = yield* makeProgress(silent)
  let killmails = 0
  let added = 0
  const keys: Array<string> = []

  const hear = Effect.fnUntraced(function*(entries: ReadonlyArray<Entry>) {
    const found = entries.filter(({ body }) => isWithin(range, dayOf(body) ?? range.first))
    const refused = new Set((yield* queue.failures(IngestKillmail.name, found.map(keyOf))).map(({ key }) => key))
    const hearings = found.map((entry) => hearingOf(source, "backfill", { ...entry, announcedFrom: neverAnnounced }))
    added += hearings.length === 0 ? 0 : yield* feeds.hearFrom(source, hearings)
    killmails += found.length
    keys.push(...found.map(keyOf).filter((key) => !refused.has(key)))
    yield* report({ what: "zKillboard", done: killmails, total: undefined, unit: "killmails" })
  })

  yield* takePart(true)
  yield* readAll(question, range, hear)
  for (;;) {
    const left = yield* throughRestarts(imports.asked(source))
    if (left === 0) break
    yield* report({ what: "queue", done: Math.max(0, added - left), total: Math.max(added, left), unit: "killmails" })
    yield* Effect.sleep(lookMillis(left))
  }
  const failures = yield* queue.failures(IngestKillmail.name, keys)
  const seconds = Math.round((performance.now() - beginning) / 100) / 10
  return { killmails, added, refused: failures.length, seconds } satisfies EntityOutcome as EntityOutcome
})

type Hear<E, R> = (entries: ReadonlyArray<Entry>) => Effect.Effect<void, E, R>

/** All pages; where there are more than zKillboard tells, month by month from the oldest that it told. */
const readAll = Effect.fnUntraced(function*<E, R>(question: Question, range: Range, hear: Hear<E, R>) {
  const oldest = yield* readPages(question, range, hear)
  if (oldest === undefined) return
  for (const month of monthsBack(oldest, range.first)) yield* readPages({ ...question, month }, range, hear)
})

/** Answers the day of the oldest killmail when there were more pages than are told. */
const readPages = Effect.fnUntraced(function*<E, R>(question: Question, { first }: Range, hear: Hear<E, R>) {
  let oldest: string | undefined
  for (let page = 1; page <= mostPages; page++) {
    const entries: ReadonlyArray<Entry> = yield* askFor(question, page)
    if (entries.length === 0) return undefined
    yield* hear(entries)
    oldest = dayOf(entries.at(-1)!.body)
    if (oldest !== undefined && oldest < first) return undefined
  }
  return oldest ?? firstDay
})

const askFor = (question: Question, page: number) =>
  patiently<ReadonlyArray<Entry>, UpstreamError, ZkbApi>(ZkbApi.use((api) => api.page(question, page)), waitFor).pipe(
    Effect.catchTag("UpstreamUnavailable", ({ message }) => Effect.fail(refuse(`backfill zkillboard: ${message}`)))
  )

const dayOf = (body: unknown): string | undefined =>
  (body as { readonly killmail_time?: string } | undefined)?.killmail_time?.slice(0, 10)

/** `2026-03`, `2026-02` …, from the month of one day to that of another. */
function* monthsBack(from: string, to: string): Generator<string> {
  for (let month = from.slice(0, 7); month >= to.slice(0, 7);) {
    yield month
    const before = new Date(`${month}-01T00:00:00Z`)
    before.setUTCMonth(before.getUTCMonth() - 1)
    month = before.toISOString().slice(0, 7)
  }
}

/** Fails with a sentence unless all was done. */
export const tellEntity = Effect.fnUntraced(function*(asJson: boolean, outcome: EntityOutcome) {
  const { added, killmails, refused, seconds } = outcome
  yield* print(asJson, outcome, `${killmails} killmails were named in ${seconds} s, ${added} of them new.`)
  if (refused > 0) {
    return yield* refuse(`backfill zkillboard: ${refused} killmails could not be had; see the table dead_letters.`)
  }
})
