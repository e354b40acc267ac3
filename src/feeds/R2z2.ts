/**
 * R2Z2, zKillboard's live feed: numbered files that carry the whole mail. `404` may mean "not yet", "a hole" or "expired";
 * only a `sequence.json` beyond our number proves that it is no "not yet", as that file lags by up to 51 numbers.
 */
import { Effect, Option, Schedule, Schema } from "effect"
import { Id, KillmailHash } from "../domain/Killmail.ts"
import type { Heard } from "../intake/Hearing.ts"
import { Settings } from "../Settings.ts"
import type { Skipped } from "../store/FeedStore.ts"
import { RateLimits } from "../store/RateLimits.ts"
import { countFeedRequest } from "../telemetry/Metrics.ts"
import { r2z2Budget } from "../upstreams/ZkbHistory.ts"
import type { Actor, Source } from "./Feed.ts"
import { type Answer, ask, FeedUnavailable } from "./Upstream.ts"

const name = "r2z2"
/** Paused from one look for the next file to the other: in the database, so that a restart does not look too soon. */
const atHead = "r2z2-head"

/** Deadline for one file, in milliseconds; the largest are a few hundred kB. */
const deadlineMillis = 15_000
/** `sequence.json` is asked at most once in so many polls at the head: 30 s at the real one. */
const pollsBetweenHeads = 5
/** A cache may deny a file that exists: only so many denials after the head passed it, a poll apart, make a hole. */
const denialsForHole = 3
/** `sequence.json` may lag so far behind the newest file. */
const headLag = 60
/** Numbers after a hole that are asked one by one. */
const askedOneByOne = 64
/** A file that cannot be read, or is an empty placeholder, is asked so often before it is stepped over. */
const triesForPoison = 5
/** A failed request is repeated twice, after so long and twice as long, before the feed starts again. */
const hiccupMillis = 250
/** A refusal without Retry-After stops all requests for 5 minutes, doubling up to an hour. */
const refusedMillis = 300_000
const refusedMillisMax = 3_600_000

const Head = Schema.Struct({ sequence: Id })

const Entry = Schema.Struct({
  killmail_id: Id,
  hash: KillmailHash,
  esi: Schema.optionalKey(Schema.Unknown),
  zkb: Schema.optionalKey(Schema.Unknown),
  uploaded_at: Schema.optionalKey(Schema.Finite),
  sequence_id: Id,
  sequence_updated: Schema.optionalKey(Schema.Unknown)
})
/** zKillboard lost the mail under this number. */
const Placeholder = Schema.Struct({ killmail_id: Schema.Null })

type Reading =
  /** With it comes the number of an older file, where that was rewritten: zKillboard changed its mind about a killmail. */
  | { readonly _tag: "Killmail"; readonly heard: Heard; readonly rewritten: number | undefined }
  /** 404: not yet, a hole, or expired. */
  | { readonly _tag: "Missing" }
  | { readonly _tag: "Placeholder" }
  | { readonly _tag: "Poison"; readonly reason: string; readonly error: string; readonly text: string }

/** What one file says; every kind of garbage is a `Poison` with its reason. */
export const readEntry = (sequence: number, text: string): Reading => {
  const poison = (reason: string, error: string): Reading => ({ _tag: "Poison", reason, error, text })
  let json: unknown
  try {
    json = JSON.parse(text)
    // Nested so deep that it can be read and not written: then it cannot be handed on.
    JSON.stringify(json)
  } catch (error) {
    return poison("undecodable", `file ${sequence} is no JSON: ${(error as Error).message}`)
  }
  if (Schema.is(Placeholder)(json)) return { _tag: "Placeholder" }
  const entry = Schema.decodeUnknownOption(Entry)(json)
  if (Option.isNone(entry)) return poison("undecodable", `file ${sequence} lacks an id, a hash or its sequence`)
  const { esi, hash, killmail_id, sequence_id, sequence_updated, uploaded_at, zkb } = entry.value
  if (sequence_id !== sequence) return poison("wrong_sequence", `file ${sequence} holds sequence ${sequence_id}`)
  return {
    _tag: "Killmail",
    heard: {
      killmail_id,
      hash,
      ...(esi === undefined ? {} : { body: esi }),
      ...(zkb === undefined ? {} : { zkb }),
      publishedAt: uploaded_at === undefined ? undefined : uploaded_at * 1000
    },
    rewritten: Schema.is(Id)(sequence_updated) && sequence_updated < sequence ? sequence_updated : undefined
  }
}

/** The one file of this number, as the gap that it leaves. */
const unreadable = (sequence: number, reading: Reading & { readonly _tag: "Placeholder" | "Poison" }): Skipped => {
  const numbers = { from: sequence, to: sequence + 1 }
  if (reading._tag === "Placeholder") return { reason: "placeholder", error: `file ${sequence} is empty`, numbers }
  const { error, reason, text } = reading
  return { reason, error, numbers, entry: { key: `${name}:${sequence}`, text: text.slice(0, 65_536) } }
}

/**
 * The first number after `dead` whose file exists, at most `head`. Near by each is asked, as holes may be scattered; then
 * by doubling and bisection: after weeks away thousands are gone, and a step for each would take hours.
 */
export const firstLive = Effect.fnUntraced(function*<E, R>(
  dead: number,
  head: number,
  exists: (sequence: number) => Effect.Effect<boolean, E, R>
) {
  for (let near = dead + 1; near <= Math.min(head, dead + askedOneByOne); near++) {
    if (yield* exists(near)) return near
  }
  if (head <= dead + askedOneByOne) return head
  let [low, high] = [dead + askedOneByOne, dead + askedOneByOne + 1]
  while (high < head && !(yield* exists(high))) {
    low = high
    high = Math.min(head, dead + 2 * (high - dead))
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (yield* exists(middle)) high = middle
    else low = middle
  }
  return high
})

const listen = Effect.fnUntraced(function*(actor: Actor) {
  const settings = yield* Settings
  const limits = yield* RateLimits
  const budget = r2z2Budget(settings.r2z2Rate)
  const base = settings.r2z2Url.href.replace(/\/$/, "")
  const hiccup = Schedule.jittered(Schedule.exponential(hiccupMillis / settings.scheduleSpeed))
  let refusals = 0

  /** 403 and 429 ban the address: nothing more is asked, by any replica, until the pause ends. */
  const refused = Effect.fnUntraced(function*({ retryAfter, status }: Answer) {
    const unsaid = Math.min(refusedMillisMax, refusedMillis * 2 ** refusals) / settings.scheduleSpeed
    const millis = Math.min(refusedMillisMax, retryAfter || unsaid)
    refusals++
    yield* countFeedRequest(name, "refused")
    yield* limits.pause({ bucket: name, millis, reason: `R2Z2 answered ${status}` })
    yield* Effect.logWarning(`r2z2 answered ${status}: no request for ${Math.round(millis / 1000)} s`)
  })

  /** The text of a file, or none for 404. */
  const get = Effect.fnUntraced(function*(path: string, pausedBy: ReadonlyArray<string> = []) {
    for (;;) {
      const answer = yield* ask({ ...budget, pausedBy }, new URL(`${base}/ephemeral/${path}`), deadlineMillis)
      if (answer.status === 403 || answer.status === 429) {
        yield* refused(answer)
        continue
      }
      refusals = 0
      if (answer.status === 404) {
        yield* countFeedRequest(name, "not_found")
        return Option.none<string>()
      }
      if (answer.status !== 200) {
        return yield* new FeedUnavailable({ message: `R2Z2 answered ${answer.status} to ${path}.` })
      }
      yield* countFeedRequest(name, "ok")
      return Option.some(answer.text)
    }
  }, (request) =>
    request.pipe(
      Effect.tapErrorTag("FeedUnavailable", () => countFeedRequest(name, "error")),
      Effect.retry({ while: (error) => error._tag === "FeedUnavailable", times: 2, schedule: hiccup })
    ))

  const head = Effect.gen(function*() {
    const text = yield* get("sequence.json")
    const decoded = Option.flatMap(text, Schema.decodeUnknownOption(Schema.fromJsonString(Head)))
    if (Option.isNone(decoded)) return yield* new FeedUnavailable({ message: "R2Z2's sequence.json cannot be read." })
    return decoded.value.sequence
  })

  /** What is under a number; a file that cannot be had is as bad as one that cannot be read. */
  const look = (sequence: number, pausedBy?: ReadonlyArray<string>) =>
    get(`${sequence}.json`, pausedBy).pipe(
      Effect.map(Option.match({
        onNone: (): Reading => ({ _tag: "Missing" }),
        onSome: (text) => readEntry(sequence, text)
      })),
      Effect.catchTag("FeedUnavailable", ({ message }) =>
        Effect.succeed<Reading>({ _tag: "Poison", reason: "unavailable", error: message, text: "" }))
    )

  /** A file that was rewritten, as far as it can be had: its killmail was heard of before, and is no sign of a lag. */
  const lookAgain = (sequence: number) =>
    Effect.map(
      look(sequence),
      (reading): ReadonlyArray<Heard> =>
        reading._tag === "Killmail" ? [{ ...reading.heard, publishedAt: undefined }] : []
    )

  const exists = (sequence: number) => Effect.map(get(`${sequence}.json`), Option.isSome)

  /** Whether R2Z2 answers sensibly but for this file: a newer one can be read, or the head is beyond it. */
  const othersAreWell = Effect.fnUntraced(function*(sequence: number) {
    for (let ahead = 1; ahead <= 3; ahead++) {
      const other = yield* look(sequence + ahead)
      if (other._tag === "Killmail" || other._tag === "Placeholder") return true
    }
    return Option.exists(yield* Effect.option(head), (reached) => reached > sequence)
  })

  // A fresh daemon begins after the head: what came before is for backfills.
  const cursor = yield* actor.cursor
  let next: number = Option.isSome(cursor) ? cursor.value : (yield* head) + 1
  if (Option.isNone(cursor)) yield* actor.hear([], next)
  let knownHead = 0
  let polls = 0
  let denials = 0
  let tries = 0

  for (;;) {
    const reading = yield* look(next, [atHead])
    if (reading._tag === "Missing") {
      yield* actor.healthy
      polls++
      if (next < knownHead && ++denials >= denialsForHole) {
        const live: number = yield* firstLive(next, knownHead, exists)
        const error = `files ${next} to ${live - 1} are not there, going on with ${live}`
        const after = yield* look(live)
        const until = after._tag === "Killmail" ? after.heard.publishedAt : undefined
        yield* actor.skip({ reason: "hole", error, numbers: { from: next, to: live }, until }, live)
        next = live
        polls = denials = 0
        continue
      }
      yield* limits.pause({ bucket: atHead, millis: settings.r2z2Poll, reason: "R2Z2 has no newer file yet" })
      if (polls % pollsBetweenHeads === 0) {
        // A cache may have an older one, which proves nothing.
        knownHead = Math.max(knownHead, yield* head)
        if (knownHead < next - headLag) {
          yield* Effect.logWarning(
            `r2z2: its head is ${knownHead}, long before our cursor ${next}: is this the same R2Z2?`
          )
        }
      }
      continue
    }
    polls = denials = 0
    if (reading._tag === "Killmail" && reading.rewritten !== undefined) {
      // What is new is not to wait for what is not; the cursor waits for both.
      yield* actor.hear([reading.heard])
      yield* actor.hear(yield* lookAgain(reading.rewritten), next + 1)
    } else if (reading._tag === "Killmail") {
      yield* actor.hear([reading.heard], next + 1)
    } else if (reading._tag === "Poison" && !(yield* othersAreWell(next))) {
      // Not this file is bad, but R2Z2 is: a page of maintenance, say.
      return yield* new FeedUnavailable({ message: `R2Z2 cannot be read: ${reading.error}.` })
    } else if (++tries < triesForPoison) {
      // Written in place behind a cache: the next answer may be whole.
      yield* Effect.sleep(settings.r2z2Poll)
      continue
    } else {
      yield* actor.skip(unreadable(next, reading), next + 1)
    }
    tries = 0
    next++
  }
})

export const source: Source<Effect.Services<ReturnType<typeof listen>>> = { name, listen }
