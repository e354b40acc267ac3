/** How long an answer may be kept, and how to ask whether it still holds. */
import { Effect } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { createHash } from "node:crypto"

/** By path. What is in no row is asked for anew each time, by its ETag. */
const lifetimes: ReadonlyArray<readonly [path: RegExp, lifetime: string]> = [
  // ESI's body never changes; values and names do, when prices arrive and names are learnt.
  [/^\/api\/v1\/killmails\/\d+\/esi$/, "public, max-age=31536000, immutable"],
  [/^\/api\/v1\/(killmails|characters|corporations|alliances)\/\d+(\/valuation)?$/, "public, max-age=60"],
  // Seconds behind the killmails by themselves.
  [/^\/api\/v1\/(\w+\/\d+\/stats|top)$/, "public, max-age=30"],
  [/^\/(docs|openapi\.json)$/, "public, max-age=3600"]
]

const lifetimeOf = (path: string): string => lifetimes.find(([pattern]) => pattern.test(path))?.[1] ?? "no-cache"

/** Weak, as the same answer may come compressed. It covers all that is said: body, values and names. */
const etagOf = (body: Uint8Array | string): string => `W/"${createHash("sha1").update(body).digest("base64url")}"`

/** `*`, or a list of tags of which one is this one. */
const isKnown = (etag: string, ifNoneMatch: string | undefined): boolean =>
  ifNoneMatch !== undefined && ifNoneMatch.split(",").some((tag) => tag.trim() === "*" || tag.trim() === etag)

/** Adds `Cache-Control` and `ETag`; answers 304 to who has it already. */
export const withCaching = <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const response = yield* app
    const { body, headers, status } = response
    if (headers["cache-control"] !== undefined) return response
    if (status !== 200 || request.headers["authorization"] !== undefined) {
      return HttpServerResponse.setHeader(response, "cache-control", "no-store")
    }
    const path = URL.parse(request.url, "http://localhost")?.pathname ?? "/"
    const kept = HttpServerResponse.setHeader(response, "cache-control", lifetimeOf(path))
    const isRead = request.method === "GET" || request.method === "HEAD"
    if (!isRead || body._tag !== "Uint8Array") return kept
    const etag = etagOf(body.body)
    const tagged = HttpServerResponse.setHeader(kept, "etag", etag)
    return isKnown(etag, request.headers["if-none-match"])
      ? HttpServerResponse.empty({ status: 304, headers: tagged.headers })
      : tagged
  })
