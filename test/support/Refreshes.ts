/** Refreshes of pilots' tokens at the sandbox's SSO: some meet an accident, and all are counted. */
import { decodeJwt } from "jose"
import type { Reply } from "../../src/sandbox/Faults.ts"
import { randomOf } from "../../src/sandbox/Random.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"

/** In every way that says nothing about the token; some after the SSO has given another one. */
const accidents: ReadonlyArray<Reply> = [
  { status: 502, headers: { "content-type": "text/html" }, body: "<html></html>" },
  { status: 503 },
  { status: 429, headers: { "retry-after": "0.01" } },
  { status: 200, headers: { "content-type": "text/html" }, body: "<html></html>" },
  { status: 401, headers: { "content-type": "application/json" }, body: `{"error":"invalid_client"}` },
  { status: 400, headers: { "content-type": "application/json" }, body: `{"error":"invalid_scope"}` },
  { reset: true },
  { resetWithin: true },
  { truncate: true }
]

export interface Refreshes {
  /** Under way at once for one character, at most. */
  most: number
  refreshes: number
  /** Of these. */
  failed: number
  /** From now on there are no accidents. */
  isCalm: boolean
}

/** `share` of them meet an accident, which follows from the seed. */
export const watchRefreshes = (sandbox: Sandbox, seed: string, share: number): Refreshes => {
  const random = randomOf("refreshes", seed)
  const owners = new Map<string, string>()
  const underWay = new Map<string, number>()
  const seen: Refreshes = { most: 0, refreshes: 0, failed: 0, isCalm: false }

  const note = (body: string): string => {
    const { access_token, refresh_token } = JSON.parse(body) as Record<string, string>
    owners.set(refresh_token!, decodeJwt(access_token!).sub!)
    return body
  }
  sandbox.intercept(({ body, path }) => {
    if (path !== "/v2/oauth/token") return undefined
    const shown = new URLSearchParams(body).get("refresh_token")
    if (shown === null) return { alter: note }
    const owner = owners.get(shown)!
    seen.refreshes += 1
    const fault = !seen.isCalm && random.chance(share) ? random.pick(accidents) : undefined
    if (fault !== undefined) seen.failed += 1
    if (fault?.status !== undefined || fault?.reset === true) return fault
    const others = underWay.get(owner) ?? 0
    seen.most = Math.max(seen.most, others + 1)
    underWay.set(owner, others + 1)
    return {
      ...fault,
      delayMillis: random.whole(0, 20),
      alter: (answered) => {
        underWay.set(owner, underWay.get(owner)! - 1)
        return note(answered)
      }
    }
  })
  return seen
}
