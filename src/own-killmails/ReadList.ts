/** One reading of a list of killmails at ESI, page by page: each that is named for the first time walks on like any other. */
import { Effect, Metric, Option, Random, type Redacted } from "effect"
import { askWithToken } from "../accounts/AccessTokens.ts"
import { isNotFound, isUnauthorized, refusedStatus } from "../esi/EsiError.ts"
import { EsiOwnKillmails } from "../esi/EsiOwnKillmails.ts"
import { hearingOf } from "../intake/Hearing.ts"
import * as Job from "../jobs/Job.ts"
import { Settings } from "../Settings.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { KillmailLists, type ListKey, type Reading } from "../store/KillmailLists.ts"
import { KillmailPilots } from "../store/KillmailPilots.ts"
import { paceOf, refusedMillis, wholeMillis } from "./Pace.ts"

/** In whose name, and how eagerly. */
export interface Reader {
  readonly character_id: number
  readonly is_preferred?: boolean
  /** Now, though it is not due; never before ESI's last answer has expired. */
  readonly is_asked?: boolean
  /** Every page, whatever is known. */
  readonly reads_all?: boolean
}

/** What became of it, and how many killmails were named for the first time: those that were new here, and those that were known. */
export interface ReadOutcome {
  readonly outcome: "read" | "not due" | "forbidden"
  readonly found: number
  readonly new: number
  readonly known: number
}

/** A reading whose process died may be taken over after so many milliseconds. */
const leaseMillis = 120_000
/** What is older is stored like history: who signs in does not tell everybody of three months. */
const newsMillis = 7 * 24 * 3_600_000
/** zKillboard reads no more either; ESI keeps some three months. */
const mostPages = 50

const readings = Metric.counter("killmaild_own_killmail_readings_total", {
  description: "Readings of pilots' and corporations' lists of killmails at ESI, by kind and outcome",
  incremental: true
})
const named = Metric.counter("killmaild_own_killmails_total", {
  description: "Killmails that such a list named for the first time, by whether they were new here",
  incremental: true
})

export const readList = Effect.fn("readList")(function*(list: ListKey, reader: Reader) {
  const lists = yield* KillmailLists
  const { scheduleSpeed } = yield* Settings
  const reading = yield* lists.open(list, {
    readerId: reader.character_id,
    leaseMillis,
    isAsked: reader.is_asked === true,
    readsAll: reader.reads_all === true,
    wholeMillis: wholeMillis / scheduleSpeed
  })
  if (Option.isNone(reading) && reader.reads_all === true) {
    const delayMillis = yield* lists.freshFor(list)
    const message = `ESI's last answer is good for ${Math.ceil(delayMillis / 1000)} s yet.`
    if (delayMillis > 0) return yield* new Job.JobPostponed({ delayMillis, message })
  }
  const outcome = Option.isNone(reading)
    ? { ...nothing, outcome: "not due" as const }
    : yield* readPages(list, reader, reading.value).pipe(
      Effect.catchIf(isForbidden, () => Effect.as(giveUp(list, reader), { ...nothing, outcome: "forbidden" as const }))
    )
  yield* Metric.update(Metric.withAttributes(readings, { kind: list.kind, outcome: outcome.outcome }), 1)
  yield* Metric.update(Metric.withAttributes(named, { outcome: "new" }), outcome.new)
  yield* Metric.update(Metric.withAttributes(named, { outcome: "known" }), outcome.known)
  return outcome satisfies ReadOutcome as ReadOutcome
})

const nothing = { found: 0, new: 0, known: 0 }

const readPages = Effect.fnUntraced(function*(list: ListKey, reader: Reader, reading: Reading) {
  const lists = yield* KillmailLists
  const feeds = yield* FeedStore
  const { scheduleSpeed } = yield* Settings
  const jitter = yield* Random.nextBetween(1, 1.15)
  const then = {
    hear: (refs: Parameters<typeof hearings>[1]) => feeds.hearFrom(`esi_${list.kind}`, hearings(list, refs)),
    paceOf: (quietMillis: number) => paceOf(quietMillis, reader.is_preferred === true) * jitter / scheduleSpeed
  }
  let found = 0
  let known = 0
  for (let page = reading.page;; page++) {
    const etag = page === 1 && !reading.reads_all ? reading.etag ?? undefined : undefined
    const answer = yield* askFor(list, reader.character_id, page, etag)
    const isLast = page >= Math.min(answer.pages, mostPages) || answer.refs === undefined
    const noted = yield* lists.note(list, reading, { ...answer, page, isLast }, then)
    found += noted.fresh.length
    known += noted.known
    if (noted.isOver) return { outcome: "read" as const, found, new: found - known, known }
  }
})

const hearings = (list: ListKey, refs: ReadonlyArray<{ readonly killmail_id: number; readonly hash: string }>) => {
  const announcedFrom = new Date(Date.now() - newsMillis).toISOString()
  return refs.map((ref) => hearingOf(`esi_${list.kind}`, "user", { ...ref, announcedFrom }))
}

const askFor = Effect.fnUntraced(function*(
  list: ListKey,
  characterId: number,
  page: number,
  etag: string | undefined
) {
  const esi = yield* EsiOwnKillmails
  const ask = (token: Redacted.Redacted) => esi.page(list, page, { as: { characterId, token }, etag })
  return yield* askWithToken(characterId, ask, isUnauthorized).pipe(
    // The list became shorter while it was read.
    Effect.catchIf(isNotFound, () => Effect.succeed({ refs: [], etag: undefined, pages: 0, freshMillis: 0 }))
  )
})

/** The pilot is no director, or in another corporation; of their own list ESI should never say so. */
const giveUp = Effect.fnUntraced(function*(list: ListKey, { character_id }: Reader) {
  const lists = yield* KillmailLists
  const pilots = yield* KillmailPilots
  yield* list.kind === "corporation" ? pilots.refuse(character_id, list.id) : lists.putOff(list, refusedMillis)
})

const isForbidden = (error: unknown): boolean => refusedStatus(error) === 403
