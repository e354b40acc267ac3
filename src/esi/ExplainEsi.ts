/** What trouble with ESI means for the job that asked. */
import * as Job from "../jobs/Job.ts"
import type { EsiError } from "./EsiError.ts"

/** Only what ESI says of the thing itself is final. Jobs that wait for ESI come back spread over as long again, so that they do not all ask at once. */
export const explainEsi = ({ message, reason }: EsiError): Job.JobError => {
  switch (reason._tag) {
    case "EsiNotFound":
      return new Job.JobRefused({ reason: "not_found", message })
    case "EsiHashMismatch":
      return new Job.JobRefused({ reason: "hash_mismatch", message })
    case "EsiUndecodable":
      return new Job.JobRefused({ reason: "undecodable", message })
    case "EsiRefused":
      return new Job.JobFailed({ reason: "esi_refused", message })
    case "EsiPaused":
      return new Job.JobPostponed({ delayMillis: reason.waitMillis * (1 + Math.random()), message })
    case "EsiUnavailable":
      return new Job.JobFailed({ reason: "esi_unavailable", message })
  }
}
