/** A character's industry jobs that were not delivered yet. */
import { Effect, Schema } from "effect"
import type { Change } from "../store/CharacterData.ts"
import { groupOf, isoOf, type Kind } from "./Kind.ts"

const IndustryJob = Schema.Struct({
  job_id: Schema.Int,
  installer_id: Schema.Int,
  facility_id: Schema.Int,
  station_id: Schema.Int,
  activity_id: Schema.Int,
  blueprint_id: Schema.Int,
  blueprint_type_id: Schema.Int,
  blueprint_location_id: Schema.Int,
  output_location_id: Schema.Int,
  runs: Schema.Int,
  /** Seconds. */
  duration: Schema.Int,
  status: Schema.String,
  start_date: Schema.String,
  end_date: Schema.String,
  /** ISK. */
  cost: Schema.optionalKey(Schema.Finite),
  product_type_id: Schema.optionalKey(Schema.Int),
  licensed_runs: Schema.optionalKey(Schema.Int),
  probability: Schema.optionalKey(Schema.Finite),
  pause_date: Schema.optionalKey(Schema.String),
  completed_date: Schema.optionalKey(Schema.String),
  completed_character_id: Schema.optionalKey(Schema.Int),
  successful_runs: Schema.optionalKey(Schema.Int)
})
type IndustryJob = typeof IndustryJob.Type

const Document = Schema.Struct({ jobs: Schema.Array(IndustryJob) })
type Document = typeof Document.Type

const route = {
  route: "/characters/{character_id}/industry/jobs",
  group: groupOf("char-industry"),
  schema: Schema.Array(IndustryJob)
}

export const industry: Kind<Document> = {
  name: "industry",
  scopes: ["esi-industry.read_character_jobs.v1"],
  document: Document,
  read: Effect.fnUntraced(function*(ask, before) {
    const { body } = yield* ask(route, before?.jobs)
    return { jobs: body }
  }),
  changes: (before, after, { since, until }) => {
    const earlier = new Map(before.jobs.map((job) => [job.job_id, job]))
    const present = new Set(after.jobs.map(({ job_id }) => job_id))
    const left = before.jobs.filter(({ job_id }) => !present.has(job_id))
    const isNewlyDone = (job: IndustryJob) => {
      const known = earlier.get(job.job_id)
      return isDone(job, until) && (known === undefined || !isDone(known, since))
    }
    return [
      ...after.jobs.filter(({ job_id }) => !earlier.has(job_id)).map((job) =>
        noted("job_started", job, job.start_date)
      ),
      ...[...after.jobs, ...left].filter(isNewlyDone).map((job) => noted("job_done", job, job.end_date)),
      ...left.map((job) => noted(isDone(job, until) ? "job_delivered" : "job_cancelled", job, isoOf(until)))
    ]
  },
  ends: ({ jobs }) => jobs.map(({ end_date }) => end_date)
}

/** ESI says `ready` some time after the end; a paused one does not go on. */
const isDone = ({ end_date, status }: IndustryJob, now: number): boolean =>
  status === "ready" || status === "delivered" || (status === "active" && Date.parse(end_date) <= now)

const noted = (change: string, job: IndustryJob, at: string): Change => {
  const { activity_id, blueprint_type_id, facility_id, job_id, product_type_id = null, runs } = job
  const data = { job_id, activity_id, blueprint_type_id, product_type_id, facility_id, runs, at }
  return { change, subject: String(job_id), at, data }
}
