/** Where a page of killmails ended, as a client hands it back: opaque to it. */
import { normaliseTime } from "../domain/Killmail.ts"
import type { Place } from "../store/KillmailSearch.ts"

/** Seconds since 1970 and the id of the killmail that the page ended with; null at the end. */
export const cursorOf = (next: Place | undefined): string | null =>
  next === undefined
    ? null
    : Buffer.from(`${Date.parse(next.killmail_time) / 1000}_${next.killmail_id}`).toString("base64url")

/** `undefined` for what is no cursor of ours. */
export const placeIn = (cursor: string): Place | undefined => {
  const match = /^(\d{1,10})_(\d{1,15})$/.exec(Buffer.from(cursor, "base64url").toString("latin1"))
  return match === null ? undefined : {
    killmail_time: normaliseTime(new Date(Number(match[1]) * 1000).toISOString()),
    killmail_id: Number(match[2])
  }
}
