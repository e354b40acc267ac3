/** What a receiver's answer means for what was sent to it. Pure. */
import { retryAfterMillis } from "../RetryAfter.ts"
import type { WebhookFormat } from "../store/Webhooks.ts"
import type { WebhookAnswer } from "./WebhookClient.ts"

export type Verdict =
  | { readonly _tag: "Delivered" }
  /** Too much at once: nothing is to be sent for so long, to this webhook or to any of its host. */
  | { readonly _tag: "Wait"; readonly millis: number; readonly scope: "webhook" | "host" }
  /** There is nobody any more. */
  | { readonly _tag: "Gone"; readonly because: string }
  /** It will not be taken another time either. */
  | { readonly _tag: "Refused"; readonly because: string }
  /** It may be taken another time. */
  | { readonly _tag: "Failed"; readonly because: string }

/** Milliseconds, for a 429 that does not say how long, and for one that says very long. */
const defaultWait = 5000
const longestWait = 3_600_000

/** 404 and 410 from anybody; Discord's 401 and Slack's 403 are of a token that was taken back. */
const gone: Readonly<Record<WebhookFormat, ReadonlySet<number>>> = {
  discord: new Set([401, 404, 410]),
  slack: new Set([403, 404, 410]),
  json: new Set([404, 410])
}
/** Of the client's errors those that pass: 401 and 403 until the receiver is set up well, 408 and 425 by themselves. */
const passing = new Set([401, 403, 408, 425])

export const verdictOf = (format: WebhookFormat, answer: WebhookAnswer): Verdict => {
  const { status } = answer
  const because = `it answered ${status}`
  if (status >= 200 && status < 300) return { _tag: "Delivered" }
  if (status === 429) {
    return { _tag: "Wait", millis: waitOf(answer), scope: isOfAll(answer) ? "host" : "webhook" }
  }
  if (gone[format].has(status)) return { _tag: "Gone", because }
  if (status >= 300 && status < 500 && !passing.has(status)) {
    return { _tag: "Refused", because: status < 400 ? `${because}, and redirects are not followed` : because }
  }
  return { _tag: "Failed", because }
}

/** How long to send nothing after an answer that was well, milliseconds: Discord says beforehand when there is no more. */
export const pauseAfter = ({ headers }: WebhookAnswer): number =>
  headers["x-ratelimit-remaining"] === "0" ? bounded(Number(headers["x-ratelimit-reset-after"]) * 1000, 0) : 0

const waitOf = ({ headers, text }: WebhookAnswer): number => {
  const told = Number(bodyOf(text)?.retry_after)
  return bounded(told >= 0 ? told * 1000 : retryAfterMillis(headers) ?? defaultWait, defaultWait)
}

/** Discord's limit of all that an address sends, not of one webhook. */
const isOfAll = ({ headers, text }: WebhookAnswer): boolean =>
  headers["x-ratelimit-scope"] === "global" || bodyOf(text)?.global === true

const bounded = (millis: number, otherwise: number): number =>
  Number.isFinite(millis) ? Math.min(Math.max(0, Math.ceil(millis)), longestWait) : otherwise

const bodyOf = (text: string): { readonly retry_after?: unknown; readonly global?: unknown } | undefined => {
  try {
    return JSON.parse(text) ?? undefined
  } catch {
    return undefined
  }
}
