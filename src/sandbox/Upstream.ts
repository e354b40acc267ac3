/**
 * What every outside service of the sandbox has in common: it gets a request, and gives the answer that the true one would
 * give, together with what the judge needs to know about it. One file implements one upstream.
 */
import type { IncomingHttpHeaders } from "node:http"
import type { WebSocket } from "ws"

export type UpstreamName =
  | "esi"
  | "r2z2"
  | "redisq"
  | "evekill"
  | "evekill-socket"
  | "zkillboard"
  | "everef"
  | "static-data"
  | "wanderer"
  | "sso"
  | "fcm"
  | "discord"
  | "slack"
  | "receiver"

export interface Ask {
  readonly upstream: UpstreamName
  readonly method: string
  /** Below the upstream's prefix, without the query: `/killmails/1/ab…`. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** Of a POST; else empty. */
  readonly body: string
  /** Who asks, for rules of caching: the User-Agent. Budgets are per address, and here all have the same one. */
  readonly client: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** An old copy from a cache that was not purged is wanted: a fault. */
  readonly stale: boolean
  /** Aborted when the client hangs up. */
  readonly gone: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Instead of a body of text. */
  readonly bytes?: Uint8Array
  /** For so many milliseconds the client has no reason to ask the same again. */
  readonly quietMillis?: number
  /** What the refused client must leave alone, and for how many milliseconds. */
  readonly pause?: { readonly scope: string; readonly millis: number }
}

export interface Upstream {
  readonly name: UpstreamName
  /** Name of the setting that points a client here, and the path it has to end in; none where users give the address. */
  readonly environment?: readonly [name: string, path: string]
  /** What is paused when this path is refused with Retry-After: the upstream's name, or one of its budgets. */
  readonly scopeOf: (path: string) => string
  readonly answer: (ask: Ask) => Answer | Promise<Answer>
  /** It speaks WebSocket: takes over a connection that was asked for. */
  readonly accept?: (ask: Ask, socket: WebSocket) => void
  /** Whether this path takes a POST, and nothing else. */
  readonly takesPost?: (path: string) => boolean
  /** The things asked for, where a path stands for many, each as a path. */
  readonly subjectsOf?: (ask: Ask) => ReadonlyArray<string>
}

export const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  headers: { "content-type": "application/json; charset=utf-8", ...headers },
  body: JSON.stringify(body)
})

/** Seconds for a header: whole at true speed; a faster sandbox writes fractions, as whole ones would undo the speed. */
export const secondsHeader = (millis: number, speed: number): string =>
  speed === 1 ? String(Math.ceil(millis / 1000)) : String(Math.ceil(millis) / 1000)
