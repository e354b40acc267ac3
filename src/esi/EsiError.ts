/** What can go wrong when ESI is asked, and what the caller should do about it. */
import { Schema } from "effect"

/** ESI's own 404: there is no such thing. Final: never ask again. */
export class EsiNotFound extends Schema.TaggedError<EsiNotFound>()("EsiNotFound", {
  path: Schema.String
}) {
  override get message() {
    return `ESI knows no ${this.path}.`
  }
}

/** 422: this hash is not the killmail's. Final: never ask again. */
export class EsiHashMismatch extends Schema.TaggedError<EsiHashMismatch>()("EsiHashMismatch", {
  path: Schema.String
}) {
  override get message() {
    return `ESI says that id and hash do not belong together in ${this.path}.`
  }
}

/** 200 with a body that is not what was asked for, after retries: HTML, truncated, another schema or killmail. */
export class EsiUndecodable extends Schema.TaggedError<EsiUndecodable>()("EsiUndecodable", {
  path: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `ESI's body for ${this.path} cannot be used: ${this.problem}`
  }
}

/** No usable answer after retries: 5xx, timeout, socket. Costs an attempt: try again later. */
export class EsiUnavailable extends Schema.TaggedError<EsiUnavailable>()("EsiUnavailable", {
  path: Schema.String,
  /** Absent when there was no answer at all. */
  status: Schema.optionalKey(Schema.Int),
  problem: Schema.String
}) {
  override get message() {
    return `ESI did not serve ${this.path}: ${this.problem}`
  }
}

/**
 * Nothing was asked, or the answer was a refusal for now: an empty budget, 420, 429, Tranquility down.
 * Costs no attempt: reschedule by `waitMillis`.
 */
export class EsiPaused extends Schema.TaggedError<EsiPaused>()("EsiPaused", {
  path: Schema.String,
  /** The bucket (store/RateLimits.ts) that is paused or empty. */
  bucket: Schema.String,
  waitMillis: Schema.Finite,
  why: Schema.String
}) {
  override get message() {
    return `ESI is not asked for ${this.path} for ${Math.ceil(this.waitMillis / 1000)} s: ${this.why}`
  }
}

/** 400, 401, 403 and other statuses that say that our request is wrong. Asking again will not help. */
export class EsiRefused extends Schema.TaggedError<EsiRefused>()("EsiRefused", {
  path: Schema.String,
  status: Schema.Int,
  problem: Schema.String
}) {
  override get message() {
    return `ESI refused ${this.path} with ${this.status}: ${this.problem}`
  }
}

const EsiReason = Schema.Union([
  EsiNotFound,
  EsiHashMismatch,
  EsiUndecodable,
  EsiUnavailable,
  EsiPaused,
  EsiRefused
])
export type EsiReason = typeof EsiReason.Type

export class EsiError extends Schema.TaggedError<EsiError>()("EsiError", { reason: EsiReason }) {
  override get message() {
    return this.reason.message
  }
}

/** The status with which ESI refused; undefined for whatever else went wrong. */
export const refusedStatus = (error: unknown): number | undefined =>
  error instanceof EsiError && error.reason._tag === "EsiRefused" ? error.reason.status : undefined

/** There is no such thing, says ESI. */
export const isNotFound = (error: unknown): boolean => error instanceof EsiError && error.reason._tag === "EsiNotFound"

/** It is about what was asked for, and will not be otherwise tomorrow: there is no such thing, or can be none. */
export const isOfWhatIsAsked = (error: unknown): boolean => isNotFound(error) || refusedStatus(error) === 400

/** The token is no good, or no longer. */
export const isUnauthorized = (error: unknown): boolean => refusedStatus(error) === 401
