/** Where a page of killmails ended, as a client hands it back: opaque to it. */
import type { KillmailRow } from "../domain/Document.ts"
import { normaliseTime } from "../domain/Killmail.ts"
import { type Place, placeOf } from "../store/KillmailSearch.ts"

/** Seconds since 1970 and the id of the killmail that the page ended with. */
export const cursorOf = (row: KillmailRow): string => {
  const { killmail_id, killmail_time } = placeOf(row)
  return Buffer.from(`${Date.parse(killmail_time) / 1000}_${killmail_id}`).toString("base64url")
}

/** `undefined` for what is no cursor of ours. */
export const placeIn = (cursor: string): Place | undefined => {
  const match = /^(\d{1,10})_(\d{1,15})$/.exec(Buffer.from(cursor, "base64url").toString("latin1"))
  return match === null ? undefined : {
    killmail_time: normaliseTime(new Date(Number(match[1]) * 1000).toISOString()),
    killmail_id: Number(match[2])
  }
}
