/** When a character, corporation or alliance was seen, asked about and deleted, as JSON writes it. */
import { normaliseTime } from "../domain/Killmail.ts"
import type { AllianceRow } from "../store/EntityReader.ts"

/** To the second. */
export const withTimes = <Row extends Pick<AllianceRow, "seen_at" | "refreshed_at" | "deleted_at">>(row: Row) => ({
  ...row,
  seen_at: timeOf(row.seen_at),
  refreshed_at: timeOf(row.refreshed_at),
  deleted_at: timeOf(row.deleted_at)
})
const timeOf = (time: Date | null): string | null => time === null ? null : normaliseTime(time.toISOString())
