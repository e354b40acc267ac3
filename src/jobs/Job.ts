/**
 * What a job is, apart from what handles it. Terms: a *task* is a kind of job, a *job* one piece of work in the queue, a
 * *key* what makes two jobs the same, an *attempt* one try that was answered; an outage, an empty budget and a crash are
 * no attempts.
 */
import { Schema } from "effect"

/** Who waits for it; a lower number runs first. Children inherit the tier of their parent. */
export const tiers = { live: 0, user: 10, repair: 20, backfill: 30, entities: 40 } as const
export type Tier = keyof typeof tiers

export interface Job<Payload> {
  /** The task's name: in the queue, on the command line, in metrics. */
  readonly name: string
  readonly payload: Schema.Codec<Payload, unknown>
  /** Jobs of the same key are one job; undefined never merges. */
  readonly key: (payload: Payload) => string | undefined
  readonly tier: Tier
  /** Answered tries before it becomes a dead letter. */
  readonly attempts: number
  /** Milliseconds to wait after an answered try failed, before jitter. */
  readonly retryAfter: (attempt: number) => number
  /** Milliseconds after which a run is taken for hung, and the process that runs it is replaced. */
  readonly deadlineMillis: number
  /** Milliseconds from one run to the next, for a job that keeps itself going. */
  readonly every?: number
}

/** Three attempts, 4 s and 8 s apart, each two minutes long at most, unless the job says otherwise. */
export const make = <Payload>(
  job: Pick<Job<Payload>, "name" | "payload" | "key" | "tier"> & Partial<Job<Payload>>
): Job<Payload> => ({ attempts: 3, retryAfter: (attempt) => 2000 * 2 ** attempt, deadlineMillis: 120_000, ...job })

/** The work cannot go on now, through no fault of its own: it comes back later and no attempt is counted. */
export class JobPostponed extends Schema.TaggedError<JobPostponed>()("JobPostponed", {
  delayMillis: Schema.Finite,
  message: Schema.String
}) {}

/** The work can never succeed: it becomes a dead letter at once. `reason` is one of a few words, for `dead_letters`. */
export class JobRefused extends Schema.TaggedError<JobRefused>()("JobRefused", {
  reason: Schema.String,
  message: Schema.String
}) {}

/** An answered try failed: it counts, and after the last one the job becomes a dead letter with this reason. */
export class JobFailed extends Schema.TaggedError<JobFailed>()("JobFailed", {
  reason: Schema.String,
  message: Schema.String
}) {}

export type JobError = JobPostponed | JobRefused | JobFailed
