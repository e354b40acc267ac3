/** How the tests ask: over HTTP like a well-mannered client, or an upstream alone, at any instant and without waiting. */
import type { Killmail } from "../../src/domain/Killmail.ts"
import type { Judge } from "../../src/sandbox/Judge.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import type { Answer, Ask, Upstream } from "../../src/sandbox/Upstream.ts"
import { killmailOf } from "../../src/sandbox/World.ts"

export const contact = "killmaild-tests/1 (ops@example.org)"

export const get = (sandbox: Sandbox, path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(sandbox.url + path, { headers: { "user-agent": contact, ...headers }, redirect: "manual" })

/** With a body it is a POST. */
export const askOf = (
  upstream: Upstream,
  path: string,
  at: number,
  headers: Record<string, string> = {},
  body?: unknown
): Ask => {
  const url = new URL(path, "http://sandbox")
  return {
    upstream: upstream.name,
    method: body === undefined ? "GET" : "POST",
    path: url.pathname,
    query: url.searchParams,
    headers: { "user-agent": contact, ...headers },
    body: body === undefined ? "" : JSON.stringify(body),
    client: contact,
    at,
    stale: false,
    gone: new AbortController().signal
  }
}

/** Asks an upstream as the server would, with the judge listening. */
export const askAt = async (
  upstream: Upstream,
  judge: Judge,
  path: string,
  at: number,
  headers: Record<string, string> = {},
  body?: unknown
): Promise<Answer> => {
  const ask = askOf(upstream, path, at, headers, body)
  const subjects = upstream.subjectsOf?.(ask)
  judge.hear(ask, [...new Set([upstream.scopeOf(ask.path), upstream.name])], subjects)
  const answer = await upstream.answer(ask)
  if (answer.pause !== undefined) judge.pause(answer.pause.scope, answer.pause.millis, at)
  if (answer.quietMillis !== undefined) judge.remember(ask, answer.quietMillis, at, subjects)
  return answer
}

/** A mail for the manual world. */
export const someMail = (k = 0): { readonly killmail: Killmail; readonly hash: string; readonly path: string } => {
  const { hash, killmail } = killmailOf("tests", k)
  return { killmail, hash, path: `/killmails/${killmail.killmail_id}/${hash}/` }
}

export const rulesOf = (judge: { readonly violations: Judge["violations"] }): ReadonlyArray<string> =>
  judge.violations().map(({ rule }) => rule)
