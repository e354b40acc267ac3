/**
 * `publish_withheld`: the time of a killmail that was held back has come. Whoever stores one adds the job, for that moment
 * (`schedule_publications` of migration 0017).
 */
import { Effect, Schema } from "effect"
import { explainSql } from "../ExplainSql.ts"
import * as Job from "../jobs/Job.ts"
import { handle } from "../jobs/JobRunner.ts"
import { WithheldKillmails } from "../store/WithheldKillmails.ts"

const PublishWithheld = Job.make({
  name: "publish_withheld",
  payload: Schema.Struct({}),
  key: () => "publish_withheld",
  tier: "live"
})

export const publishWithheld = handle(PublishWithheld, () =>
  WithheldKillmails.use(({ publishDue }) => publishDue).pipe(
    Effect.map((published) => ({ published })),
    Effect.mapError(explainSql)
  ))
