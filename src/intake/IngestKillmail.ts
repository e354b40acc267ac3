/**
 * The walk of a killmail from hearsay to the store, top to bottom: known already? stop. The body as it came along, or from
 * ESI; checked against its hash; appraised, stored once and published.
 */
import { Effect, Metric, Option, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { crashPoint } from "../CrashPoint.ts"
import { compare, saidBy } from "../domain/Agreement.ts"
import type { Appraisal } from "../domain/Judgement.ts"
import { hashOf, isPlausibleTime, Killmail } from "../domain/Killmail.ts"
import { Esi } from "../esi/Esi.ts"
import { explainEsi } from "../esi/ExplainEsi.ts"
import { explainSql } from "../ExplainSql.ts"
import * as Job from "../jobs/Job.ts"
import { handle } from "../jobs/JobRunner.ts"
import { causeText, isBadRow } from "../store/Database.ts"
import { KillmailStore } from "../store/KillmailStore.ts"
import {
  countAgreement,
  killmailLagSeconds,
  killmailsProcessed,
  lastKillmailTimestamp,
  processingSeconds
} from "../telemetry/Metrics.ts"
import { continueTrace } from "../telemetry/TraceContext.ts"
import { Appraiser } from "./Appraiser.ts"
import { IngestKillmail, type IngestPayload as Heard } from "./Hearing.ts"
import { Recorder } from "./Recorder.ts"

export const ingestKillmail = handle(IngestKillmail, (heard: Heard, priority) =>
  Effect.gen(function*() {
    const store = yield* KillmailStore
    const appraiser = yield* Appraiser
    const recorder = yield* Recorder

    const killmail = yield* Effect.interruptible(Effect.gen(function*() {
      const brought = broughtBody(heard)
      if (Option.isSome(brought)) return brought
      // The store finds out by itself whether a killmail is new; only a question to ESI is worth asking before.
      if (Option.isSome(yield* store.knownHash(heard.killmail_id))) return Option.none<Killmail>()
      return Option.some(yield* bodyFromEsi(heard, priority))
    }))
    if (Option.isNone(killmail)) return yield* count("known", heard)
    yield* plausible(killmail.value)
    const appraisal = yield* appraiser.appraise(killmail.value)

    yield* crashPoint("body there, not recorded")
    const receipt = yield* recorder.record({
      killmail: killmail.value,
      appraisal,
      hash: heard.hash,
      source: heard.source,
      heardAt: new Date(heard.heard_at),
      zkb: heard.zkb ?? undefined,
      isAnnounced: isNews(killmail.value, heard)
    })
    if (receipt.outcome === "stored") {
      if (receipt.sequence !== null) yield* noteStored(killmail.value, heard)
      yield* noteAgreement(appraisal, heard)
    }
    yield* Effect.logDebug(`killmail ${heard.killmail_id} ${receipt.outcome}`)
    return yield* count(receipt.outcome, heard)
  }).pipe(
    Effect.catchTags({ SqlError: explain, RecorderClosed: () => stopping }),
    Effect.tapError((error) => count(error._tag === "JobPostponed" ? "postponed" : "failed", heard)),
    Effect.withSpan("ingest killmail", {
      attributes: { "killmail.id": heard.killmail_id, "killmail.source": heard.source }
    }, { captureStackTrace: false }),
    Effect.annotateLogs({ killmail_id: heard.killmail_id }),
    continueTrace(heard.traceparent)
  ))

/** The feed's body, if it decodes, is of this killmail and fits the hash. */
const broughtBody = (heard: Heard): Option.Option<Killmail> =>
  Option.filter(
    decodeBody(heard.body),
    (body) => body.killmail_id === heard.killmail_id && hashOf(body) === heard.hash
  )

/** ESI's body, which is the truth even where it fits no hash: CCP rebuilt two old mails by hand. */
const bodyFromEsi = Effect.fnUntraced(function*(heard: Heard, priority: number) {
  if (heard.body !== undefined && heard.body !== null) {
    yield* Effect.logInfo(`killmail ${heard.killmail_id}: the body from ${heard.source} does not fit, asking ESI`)
  }
  const esi = yield* Esi
  const { killmail } = yield* esi.killmail(heard, { isUnhurried: priority >= Job.tiers.backfill }).pipe(
    Effect.mapError((error) => error._tag === "EsiError" ? explainEsi(error) : error)
  )
  return killmail
})

const decodeBody = Schema.decodeUnknownOption(Killmail)

/** What was killed before we were away is history, found late. */
const isNews = ({ killmail_time }: Killmail, { announced_from }: Heard): boolean =>
  announced_from === undefined || Date.parse(killmail_time) >= Date.parse(announced_from)

const plausible = Effect.fnUntraced(function*(killmail: Killmail) {
  if (!isPlausibleTime(killmail.killmail_time, Date.now())) {
    return yield* new Job.JobRefused({
      reason: "implausible_time",
      message:
        `Killmail ${killmail.killmail_id} has the time ${killmail.killmail_time}, wants one since EVE opened and not in the far future.`
    })
  }
  return killmail
})

const stopping = new Job.JobPostponed({ delayMillis: 1000, message: "The daemon is stopping." })

const explain = (error: SqlError.SqlError) =>
  isBadRow(error)
    ? new Job.JobRefused({ reason: "bad_row", message: `Postgres refuses the killmail: ${causeText(error)}` })
    : explainSql(error)

const noteStored = Effect.fnUntraced(function*({ killmail_time }: Killmail, { heard_at }: Heard) {
  const now = Date.now()
  yield* Metric.update(processingSeconds, (now - Date.parse(heard_at)) / 1000)
  yield* Metric.update(killmailLagSeconds, (now - Date.parse(killmail_time)) / 1000)
  yield* Metric.update(lastKillmailTimestamp, Date.parse(killmail_time) / 1000)
})

const noteAgreement = Effect.fnUntraced(function*(appraisal: Appraisal, { zkb }: Heard) {
  if (zkb === undefined || zkb === null) return
  const said = saidBy(appraisal)
  if (said !== undefined) yield* countAgreement(compare(said, zkb))
})

const count = (outcome: string, { source }: Heard) =>
  Effect.as(Metric.update(Metric.withAttributes(killmailsProcessed, { source, outcome }), 1), { outcome })
