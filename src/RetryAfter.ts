/** The header with which a server says when to ask again (RFC 9110, 10.2.3). */

type Headers = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/** No header is believed to mean longer than a day. */
export const longestMillis = 86_400_000

/** Milliseconds since 1970 by the server's clock, where its answer tells it; else by ours. */
export const serverNow = (headers: Headers, nowMillis: number): number => {
  const date = Date.parse(String(headers["date"] ?? ""))
  return Number.isNaN(date) ? nowMillis : date
}

/** Milliseconds: told in seconds or, against the server's own clock where it tells it, as a date; undefined for all else. */
export const retryAfterMillis = (headers: Headers, nowMillis: number = Date.now()): number | undefined => {
  const text = String(headers["retry-after"] ?? "").trim()
  const seconds = /^[\d.]+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isNaN(seconds)) return Math.min(seconds * 1000, longestMillis)
  const until = text.endsWith("GMT") ? Date.parse(text) : Number.NaN
  return Number.isNaN(until) ? undefined : Math.min(Math.max(until - serverNow(headers, nowMillis), 0), longestMillis)
}
