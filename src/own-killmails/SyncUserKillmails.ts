/**
 * `sync_user_killmails`, a job a character: reads what ESI lists of its killmails and, where it is a director, of its
 * corporation's. `queue_user_killmails` looks for those that are due.
 */
import { Effect, Option, Schema } from "effect"
import { explainToken, type TokenError } from "../accounts/AccessTokens.ts"
import { EsiEntities, mostIds } from "../esi/EsiEntities.ts"
import type { EsiError } from "../esi/EsiError.ts"
import { explainEsi } from "../esi/ExplainEsi.ts"
import * as Job from "../jobs/Job.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { handle } from "../jobs/JobRunner.ts"
import { Settings } from "../Settings.ts"
import { EntityStore } from "../store/EntityStore.ts"
import { KillmailPilots } from "../store/KillmailPilots.ts"
import { failedMillis, placedMillis, refusedMillis } from "./Pace.ts"
import { publishWithheld } from "./PublishWithheld.ts"
import { readList } from "./ReadList.ts"

export const SyncUserKillmails = Job.make({
  name: "sync_user_killmails",
  payload: Schema.Struct({
    character_id: Schema.Int,
    is_preferred: Schema.optionalKey(Schema.Boolean),
    is_asked: Schema.optionalKey(Schema.Boolean),
    reads_all: Schema.optionalKey(Schema.Boolean)
  }),
  key: ({ character_id }) => `sync_user_killmails:${character_id}`,
  tier: "repair"
})

/** Over all replicas. There are four slots for all jobs of this kind. */
export const readersAtOnce = 2
/** In one look: what is left comes with the next. */
const mostAtOnce = 10_000
/** Who has just signed in waits so long, in milliseconds. */
const lookMillis = 30_000

export const syncUserKillmails = handle(SyncUserKillmails, (reader) =>
  Effect.gen(function*() {
    const { scheduleSpeed } = yield* Settings
    const { character_id } = reader
    const own = yield* readList({ kind: "character", id: character_id }, reader)
    const corporation = yield* KillmailPilots.use((pilots) =>
      pilots.corporationOf(character_id, refusedMillis / scheduleSpeed)
    )
    if (Option.isNone(corporation)) return { character: own }
    return { character: own, corporation: yield* readList({ kind: "corporation", id: corporation.value }, reader) }
  }).pipe(
    // Its owner is told at /api/v1/me, and an operator has nothing to do about it.
    Effect.catchTag("TokenGone", () => Effect.succeed({ outcome: "gone" })),
    Effect.mapError(explain),
    Effect.interruptible
  ))

const look = handle(
  Job.make({
    name: "queue_user_killmails",
    payload: Schema.Struct({}),
    key: () => "queue_user_killmails",
    tier: "repair",
    every: lookMillis
  }),
  () =>
    Effect.gen(function*() {
      const { scheduleSpeed } = yield* Settings
      const pilots = yield* KillmailPilots
      const queue = yield* JobQueue
      yield* placePilots
      const due = yield* pilots.due({
        most: mostAtOnce,
        refusedMillis: refusedMillis / scheduleSpeed,
        failedMillis: failedMillis / scheduleSpeed
      })
      for (const is_preferred of [true, false]) {
        const jobs = due.filter((pilot) => pilot.is_preferred === is_preferred)
        if (jobs.length === 0) continue
        const tier = is_preferred ? "user" : SyncUserKillmails.tier
        yield* queue.addAll({ ...SyncUserKillmails, tier }, jobs, { atOnce: readersAtOnce })
      }
      return { due: due.length }
    }).pipe(Effect.mapError(explain), Effect.interruptible)
)

/** Without an answer of ESI each is taken to be where they were. */
const placePilots = Effect.gen(function*() {
  const { scheduleSpeed } = yield* Settings
  const pilots = yield* KillmailPilots
  const ids = yield* pilots.unplaced(placedMillis / scheduleSpeed, mostIds)
  if (ids.length === 0) return
  yield* EsiEntities.use((esi) => esi.affiliations(ids)).pipe(
    Effect.flatMap((answers) =>
      Effect.andThen(pilots.place(answers), EntityStore.use((store) => store.keepAffiliations(answers)))
    ),
    Effect.catchTag("EsiError", ({ message }) => Effect.logInfo(`Where pilots are is not known: ${message}`))
  )
})

const explain = (error: TokenError | EsiError | Job.JobPostponed): Job.JobError => {
  if (error._tag === "JobPostponed") return error
  return error._tag === "EsiError" ? explainEsi(error) : explainToken(error)
}

export const handlers = [syncUserKillmails, look, publishWithheld]
