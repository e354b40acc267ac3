/** What trouble with Postgres means for the job that met it. */
import type { SqlError } from "effect/sql"
import * as Job from "./jobs/Job.ts"
import { causeText, isPassing } from "./store/Database.ts"

/** What passes costs no attempt. */
export const explainSql = (error: SqlError.SqlError): Job.JobPostponed | Job.JobFailed =>
  isPassing(error)
    ? new Job.JobPostponed({ delayMillis: 2000, message: `Postgres was not there, or busy: ${causeText(error)}.` })
    : new Job.JobFailed({ reason: "database", message: `Postgres: ${causeText(error)}.` })
