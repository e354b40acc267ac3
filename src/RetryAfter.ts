/** The header with which a server says when to ask again (RFC 9110, 10.2.3). */

type Headers = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/** No header is believed to mean longer than a day. */
const longestMillis = 86_400_000

/** Milliseconds: told in seconds or, against the server's own clock where it tells it, as a date; undefined for all else. */
export const retryAfterMillis = (headers: Headers, nowMillis: number = Date.now()): number | undefined => {
  const text = String(headers["retry-after"] ?? "").trim()
  const seconds = /^[\d.]+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isNaN(seconds)) return Math.min(seconds * 1000, longestMillis)
  const until = text.endsWith("GMT") ? Date.parse(text) : Number.NaN
  if (Number.isNaN(until)) return undefined
  const date = Date.parse(String(headers["date"] ?? ""))
  return Math.min(Math.max(until - (Number.isNaN(date) ? nowMillis : date), 0), longestMillis)
}
