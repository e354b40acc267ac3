/** What the refreshes of characters, corporations and alliances have in common. */
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { alone } from "../esi/Alone.ts"
import type { EsiError } from "../esi/EsiError.ts"
import { explainEsi } from "../esi/ExplainEsi.ts"
import { explainSql } from "../ExplainSql.ts"
import * as Job from "../jobs/Job.ts"

/** One job is for all who are wanted, as they are in the tables; after so long another one goes on. */
export const longestMillis = 60_000
/** Beside that, a slow ESI may take its time for the last question. */
export const deadlineMillis = 600_000

/** Nobody waits for a name: when ESI is in trouble, it is asked again after this. */
export const patienceMillis = 60_000

export type Failure = EsiError | SqlError.SqlError

/** Learns for all replicas; says what an error means for the job. */
export const learn = <A, R>(name: string, learning: Effect.Effect<A, Failure, R>) =>
  Effect.mapError(alone(name, learning), explain)

/** ESI or the database is not to be asked now: no fault of whom was asked about. */
export const isPause = (error: Failure): boolean => error._tag === "SqlError" || error.reason._tag === "EsiPaused"

const explain = (error: Failure | Job.JobPostponed): Job.JobError => {
  switch (error._tag) {
    case "JobPostponed":
      return error
    case "SqlError":
      return explainSql(error)
    case "EsiError": {
      const explained = explainEsi(error)
      return explained._tag === "JobPostponed" || error.reason._tag === "EsiRefused"
        ? explained
        : new Job.JobPostponed({ delayMillis: patienceMillis, message: error.message })
    }
  }
}
