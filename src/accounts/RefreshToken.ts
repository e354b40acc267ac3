/**
 * `refresh_token` renews one character's token. Who needs one renews it by itself (AccessTokens.ts); this is for those that
 * nobody needed for a day, as refresh tokens that are not used may die. `renew_tokens` looks for them, every hour.
 */
import { Effect, Schema } from "effect"
import * as Job from "../jobs/Job.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { handle } from "../jobs/JobRunner.ts"
import { Settings } from "../Settings.ts"
import { UserTokens } from "../store/UserTokens.ts"
import { AccessTokens, explainToken } from "./AccessTokens.ts"

const hour = 3_600_000
/** With the hour until the next look, and one for an outage, this is less than a day. */
const unusedMillis = 20 * hour
/** In one look: what is left comes with the next. */
const mostAtOnce = 10_000
/** Over all replicas, to be no burden on EVE's SSO. */
const refreshesAtOnce = 2

const RefreshToken = Job.make({
  name: "refresh_token",
  payload: Schema.Struct({ character_id: Schema.Int }),
  key: ({ character_id }) => `refresh_token:${character_id}`,
  tier: "repair"
})

const refreshToken = handle(
  RefreshToken,
  ({ character_id }) =>
    AccessTokens.use(({ renew }) => renew(character_id)).pipe(
      Effect.as({ outcome: "renewed" }),
      // Its owner is told at /api/v1/me, and an operator has nothing to do about it.
      Effect.catchTag("TokenGone", () => Effect.succeed({ outcome: "gone" })),
      Effect.mapError(explainToken)
    )
)

const renewTokens = handle(
  Job.make({
    name: "renew_tokens",
    payload: Schema.Struct({}),
    key: () => "renew_tokens",
    tier: "repair",
    every: hour,
    deadlineMillis: hour / 2
  }),
  () =>
    Effect.gen(function*() {
      const { scheduleSpeed } = yield* Settings
      const due = yield* UserTokens.use(({ unrefreshed }) => unrefreshed(unusedMillis / scheduleSpeed, mostAtOnce))
      const jobs = due.map((character_id) => ({ character_id }))
      yield* JobQueue.use(({ addAll }) => addAll(RefreshToken, jobs, { atOnce: refreshesAtOnce }))
      return { due: due.length }
    }).pipe(
      Effect.mapError(({ message }) => new Job.JobFailed({ reason: "database", message })),
      Effect.interruptible
    )
)

export const handlers = [refreshToken, renewTokens]
