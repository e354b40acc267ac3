/**
 * Tells this process's subscribers of every publication, in order of sequence, and of what was valued anew. It wakes on the
 * store's NOTIFY, and polls, as a NOTIFY can be lost; what it tells is always read from the tables.
 */
import { PgClient } from "@effect/sql-pg"
import { Cause, Context, Effect, Layer, Metric, Option, Queue, Schema, Semaphore } from "effect"
import type { SqlError } from "effect/sql"
import { crashPoint } from "../CrashPoint.ts"
import { idsOf, type KillmailDocument, toDocument } from "../domain/Document.ts"
import type { Filter } from "../domain/Filter.ts"
import { factIdsOf, type Subject, subjectOf } from "../domain/Matching.ts"
import type { StaticFacts } from "../domain/StaticData.ts"
import { StaticData } from "../static-data/StaticData.ts"
import { within } from "../store/Deadline.ts"
import { KillmailReader, type Publication } from "../store/KillmailReader.ts"
import { publicationsChannel } from "../store/KillmailStore.ts"
import { Listening } from "../store/Listening.ts"
import { Names } from "../store/Names.ts"
import { Revaluations } from "../store/Revaluations.ts"
import { messageOf } from "../telemetry/Messages.ts"
import { announcements, countError } from "../telemetry/Metrics.ts"
import { continueTrace } from "../telemetry/TraceContext.ts"
import * as Audience from "./Audience.ts"

/** A publication, or that it was valued anew, as it is told: encoded once for all who hear it. */
export interface Announcement {
  readonly type: "killmail" | "revalued"
  readonly sequence: number
  readonly document: KillmailDocument
  /** The document as JSON. */
  readonly json: string
  /** The killmail as filters ask of it. */
  readonly subject: Subject
}

/** What was sent on the channel did not come back: the connection lives, perhaps, but hears nothing. */
class ListenerDeaf extends Schema.TaggedError<ListenerDeaf>()("ListenerDeaf", {}) {
  override readonly message = "a NOTIFY of our own was not heard"
}

/** Without a NOTIFY the ledger is read this often. */
const pollInterval = "2 seconds"
/** Milliseconds of silence after which this process sends a NOTIFY of its own, and how long it may take to come back. */
const silenceMillis = 10_000
const probeMillis = 3000
/** Publications read in one query. */
const pageSize = 200
/** Sequences that a replay looks through in one query, however few of them fit its filter. */
const replayWindow = 10_000
/** Of what was valued anew so many are told a second: after a day's prices arrive they are thousands. */
const revaluedPageSize = 100
/** An announcement waits no longer for names, and goes without. */
const namesDeadline = "1 second"
/** One page of a replay: what fits, and the sequence up to which nothing is missing. */
export interface Replayed {
  readonly announcements: ReadonlyArray<Announcement>
  readonly position: number
}

/** A connection that went silent is given up after this, and another one asked; there may be several such in the pool. */
const soon = within("5 seconds")

export class LiveKillmails extends Context.Service<LiveKillmails, {
  readonly epoch: Effect.Effect<string, SqlError.SqlError>
  /** The last sequence given out, told here or not. */
  readonly lastSequence: Effect.Effect<number, SqlError.SqlError>
  /** The sequence told last: what comes after it is told to listeners, what came before is to be replayed. */
  readonly position: () => number
  /** Subscriptions hear what comes after `position()` of the instant at which they are added. */
  readonly join: Audience.Audience["join"]
  /** Hears what comes after `position()` of this instant. */
  readonly listen: Audience.Audience["listen"]
  /** What was published after a sequence, up to `position()`, and fits the filter: a page of it, in order. */
  readonly replay: (after: number, filter: Filter) => Effect.Effect<Replayed, SqlError.SqlError>
}>()("killmaild/broadcast/LiveKillmails") {
  static readonly layer = Layer.effect(
    LiveKillmails,
    Effect.gen(function*() {
      const pg = yield* PgClient.PgClient
      const { listen } = yield* Listening
      const reader = yield* KillmailReader
      const revaluations = yield* Revaluations
      const names = yield* Names
      const staticData = yield* StaticData
      const audience = Audience.make()
      // Clients that catch up must not take the connections that feeds and jobs live on.
      const replays = yield* Semaphore.make(2)
      let position = yield* reader.lastSequence
      let revaluation = yield* revaluations.last

      const tellAudience = (announcement: Announcement) =>
        Effect.suspend(() => audience.tell(announcement) === 0 ? Effect.void : countError("broadcast", "listener"))

      const namesIn = (page: ReadonlyArray<Pick<Publication, "row">>) =>
        names.namesOf(page.flatMap(({ row }) => [...idsOf(row)])).pipe(
          within(namesDeadline),
          Effect.orElseSucceed((): ReadonlyMap<number, string> => new Map())
        )

      /** Without them a filter would say no to what fits it: they are waited for. */
      const factsIn = (page: ReadonlyArray<Pick<Publication, "row">>) => {
        const wanted = page.map(({ row }) => factIdsOf(row))
        return Effect.map(
          staticData.factsFor({
            typeIds: wanted.flatMap(({ typeIds }) => typeIds),
            systemIds: wanted.flatMap(({ systemIds }) => systemIds)
          }),
          ({ facts }) => facts
        )
      }

      const tell = (known: ReadonlyMap<number, string>, facts: StaticFacts) => (publication: Publication) =>
        Effect.suspend(() => {
          // First, so that one that cannot be told does not hold up all that follow.
          position = publication.sequence
          return tellAudience(announce(publication, known, facts))
        }).pipe(
          Effect.andThen(Metric.update(announcements, 1)),
          Effect.withSpan("announce killmail", {
            kind: "producer",
            attributes: { "killmail.id": publication.row.killmail_id, "killmail.sequence": publication.sequence }
          }),
          continueTrace(publication.traceparent),
          Effect.catchCause((cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.failCause(cause)
              : Effect.andThen(
                Effect.logError(`Publication ${publication.sequence} could not be announced`, cause),
                countError("broadcast", "announce")
              )
          )
        )

      const tellAll = Effect.gen(function*() {
        for (;;) {
          const page = yield* soon(reader.publishedAfter(position, pageSize))
          if (page.length > 0) yield* crashPoint("publications read, not told")
          const facts = yield* soon(factsIn(page))
          yield* Effect.forEach(page, tell(yield* namesIn(page), facts), { discard: true })
          if (page.length < pageSize) return
        }
      })

      /** Whether there may be more. What this process has not told yet will be told as it is by then. */
      const tellRevalued = Effect.gen(function*() {
        const page = yield* soon(revaluations.after(revaluation, revaluedPageSize))
        const facts = yield* soon(factsIn(page))
        const known = yield* namesIn(page)
        for (const { id, row } of page) {
          revaluation = id
          const sequence = row.sequence!
          if (sequence <= position) {
            yield* tellAudience({ ...announce({ row, sequence }, known, facts), type: "revalued" })
          }
        }
        return page.length === revaluedPageSize
      })

      // One connection listens; any trouble with it ends the turn, and the next begins by reading what was missed.
      const turn = Effect.scoped(Effect.gen(function*() {
        const notifications = yield* soon(listen(publicationsChannel))
        const last = yield* soon(reader.lastSequence)
        if (last < position) {
          yield* Effect.logWarning(
            `The ledger ends at ${last}, and ${position} was told: it was restored. Goes on from there.`
          )
          position = last
          revaluation = yield* soon(revaluations.last)
        }
        let heardAt = performance.now()
        let probedAt: number | undefined
        for (;;) {
          yield* tellAll
          const more = yield* tellRevalued
          const heard = yield* Queue.takeBetween(notifications, 1, Number.POSITIVE_INFINITY).pipe(
            Effect.timeoutOption(more ? "1 second" : pollInterval)
          )
          if (Option.isSome(heard)) {
            heardAt = performance.now()
            probedAt = undefined
          } else if (probedAt === undefined && performance.now() - heardAt > silenceMillis) {
            yield* soon(pg.notify(publicationsChannel, "probe"))
            probedAt = performance.now()
          } else if (probedAt !== undefined && performance.now() - probedAt > probeMillis) {
            return yield* new ListenerDeaf()
          }
        }
      }))
      yield* Effect.forkScoped(
        turn.pipe(
          Effect.catchCause((cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.failCause(cause)
              : Effect.logWarning(`Listening for publications failed, starts again: ${messageOf(cause)}`).pipe(
                Effect.andThen(countError("broadcast", "listen")),
                Effect.andThen(Effect.sleep("500 millis"))
              )
          ),
          Effect.forever
        )
      )

      return LiveKillmails.of({
        epoch: reader.epoch,
        lastSequence: reader.lastSequence,
        position: () => position,
        join: audience.join,
        listen: audience.listen,
        replay: (after, filter) =>
          replays.withPermit(Effect.gen(function*() {
            // All up to `position` has been told, and so is there to be read.
            const upTo = Math.min(after + replayWindow, position)
            const page = yield* reader.publishedBetween(after, upTo, filter, pageSize)
            const facts = yield* factsIn(page)
            const known = yield* namesIn(page)
            return {
              announcements: page.map((publication) => announce(publication, known, facts)),
              position: page.length < pageSize ? upTo : page.at(-1)!.sequence
            }
          }))
      })
    })
  )
}

const announce = (
  { row, sequence }: Pick<Publication, "row" | "sequence">,
  names: ReadonlyMap<number, string>,
  facts: StaticFacts
): Announcement => {
  const document = toDocument(row, names)
  return { type: "killmail", sequence, document, json: JSON.stringify(document), subject: subjectOf(row, facts) }
}
