/** Which pages of other origins may read answers in a browser: those that the operator lists, and never with cookies. */
import type { Effect } from "effect"
import { HttpMiddleware, type HttpServerRequest, type HttpServerResponse } from "effect/http"

const shared = {
  allowedMethods: ["GET", "HEAD", "POST", "PUT", "DELETE"],
  allowedHeaders: ["authorization", "content-type", "if-none-match", "last-event-id"],
  exposedHeaders: ["etag", "ratelimit", "ratelimit-policy", "retry-after"],
  /** Seconds. */
  maxAge: 3600
}

type App<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

/** `*` is every origin; without any, a browser shows answers to our own pages alone. */
export const withCors =
  (origins: ReadonlyArray<string>) => <E, R>(app: App<E, R>): App<E, R | HttpServerRequest.HttpServerRequest> => {
    if (origins.length === 0) return app
    const isAllowed = (origin: string | undefined) => origin !== undefined && origins.includes(origin)
    return HttpMiddleware.cors(origins.includes("*") ? shared : { ...shared, allowedOrigins: isAllowed })(app)
  }
