/** What no answer may be, whatever was asked. */
import type { Answer, Attempt } from "./Attempt.ts"

/** Of ours, or of what we are built on. */
const inside = /node_modules|\bat [\w.<>]+ \(|\.ts:\d|SqlError|syntax error at|relation "\w+"|postgres:\/\//

export const fault = (attempt: Attempt, answer: Answer): string | undefined => {
  const { headers, status } = answer
  if (status >= 500) return `answers ${status}: ${answer.body.toString().slice(0, 200)}`
  if (attempt.wire === undefined && headers["x-content-type-options"] !== "nosniff") return "answers without nosniff"
  if (status < 400 || attempt.method === "HEAD") return undefined
  return problemFault(attempt, answer)
}

const problemFault = (attempt: Attempt, { body, headers, status }: Answer): string | undefined => {
  const text = body.toString()
  // Node itself refuses what names no host, with an empty body in chunks.
  if (attempt.wire !== undefined && /^(0\r\n\r\n)?$/.test(text)) return undefined
  // GraphQL has a form of its own, which its source reads.
  if (
    attempt.target.startsWith("/graphql") &&
    /^application\/(graphql-response\+)?json/.test(headers["content-type"] ?? "")
  ) {
    return inside.test(text) ? `answers ${status} with our inside: ${text.slice(0, 200)}` : undefined
  }
  if (!(headers["content-type"] ?? "").startsWith("application/problem+json")) {
    return `answers ${status} as ${headers["content-type"] ?? "nothing"}`
  }
  if (inside.test(text)) return `answers ${status} with our inside: ${text.slice(0, 200)}`
  // More may follow on the same socket.
  if (attempt.wire !== undefined) return undefined
  const problem = JSON.parse(text) as Readonly<Record<string, unknown>>
  return problem["status"] === status && typeof problem["title"] === "string"
    ? undefined
    : `answers ${status} with another problem: ${text.slice(0, 200)}`
}
