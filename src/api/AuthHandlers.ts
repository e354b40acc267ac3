/** What answers `/api/v1/auth`. */
import { Effect, Option, Redacted } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { accessMillis, type IssuedTokens, SessionTokens } from "../accounts/SessionTokens.ts"
import { SignIn } from "../accounts/SignIn.ts"
import { isLoopback, Settings } from "../Settings.ts"
import { Sessions } from "../store/Sessions.ts"
import { explainSignIn } from "./AccountProblems.ts"
import { Api } from "./Api.ts"
import { BadRequest, Conflict, CurrentVisitor, Unauthorized, type Unavailable } from "./ApiErrors.ts"
import { isFromOurPage, ownOrigin } from "./OwnOrigin.ts"
import { cookieIn, withoutSession, withoutSignIn, withSession, withSignIn } from "./SessionCookies.ts"
import { notOurPage } from "./SignedInPilots.ts"
import { unavailable } from "./Unavailable.ts"

const callbackPath = "/api/v1/auth/callback"

export const AuthHandlers = HttpApiBuilder.group(
  Api,
  "auth",
  Effect.fn(function*(handlers) {
    const settings = yield* Settings
    const { begin, finish, redeemAppCode } = yield* SignIn
    const tokens = yield* SessionTokens
    const sessions = yield* Sessions

    const originOf = Effect.fnUntraced(function*(request: HttpServerRequest.HttpServerRequest) {
      return ownOrigin(settings, request) ?? (yield* new BadRequest({
        detail: "KILLMAILD_PUBLIC_URL: is unset, wants the address at which browsers find this daemon."
      }))
    })

    const redirectUriAt = (origin: string): string =>
      Option.match(settings.ssoCallbackUrl, { onNone: () => origin + callbackPath, onSome: ({ href }) => href })

    const opened = (userId: string, device: Parameters<typeof tokens.open>[1]) =>
      unavailable(tokens.open(userId, device))

    const renewed = Effect.fnUntraced(function*(refresh: string) {
      const outcome = yield* unavailable(tokens.renew(refresh))
      if (typeof outcome !== "string") return outcome
      return yield* new Unauthorized({
        detail: outcome === "reused"
          ? "The token was used before, so somebody else may have it: its session is over, sign in again."
          : "The token is unknown or too old: sign in again."
      })
    })

    const userOf = Effect.fnUntraced(function*(cookie: string) {
      const visitor = yield* unavailable(tokens.visitorOf(cookie))
      if (Option.isSome(visitor)) return visitor.value.userId
      return yield* new Unauthorized({ detail: "add: wants a browser that is signed in." })
    })

    return handlers.handleAll({
      signIn: Effect.fnUntraced(function*({ query, request }) {
        const origin = yield* originOf(request)
        const app = yield* appIn(query, settings.appRedirects)
        const userId = query.add === undefined ? null : yield* userOf(cookieIn(request, "session", origin))
        const { browserSecret, url } = yield* begin({
          userId,
          returnTo: Option.match(app, { onSome: ({ redirect }) => redirect, onNone: () => localPath(query.return_to) }),
          redirectUri: redirectUriAt(origin),
          app
        }).pipe(Effect.catch(explainSignIn))
        return HttpServerResponse.redirect(url).pipe(withSignIn(origin, browserSecret), unkept)
      }),

      callback: Effect.fnUntraced(function*({ request }) {
        const origin = yield* originOf(request)
        const { app, isAdded, returnTo, userId } = yield* finish({
          query: new URL(request.url, origin).searchParams,
          browserSecret: cookieIn(request, "sign-in", origin),
          redirectUri: redirectUriAt(origin)
        }).pipe(
          Effect.catch((error): Effect.Effect<never, BadRequest | Conflict | Unavailable> =>
            error._tag === "CharacterTaken"
              ? Effect.fail(new Conflict({ detail: error.message }))
              : explainSignIn(error)
          )
        )
        if (Option.isSome(app)) {
          const target = new URL(returnTo)
          target.searchParams.set("code", app.value.code)
          target.searchParams.set("state", app.value.state)
          return HttpServerResponse.redirect(target).pipe(withoutSignIn(origin), unkept)
        }
        const back = HttpServerResponse.redirect(returnTo).pipe(withoutSignIn(origin), unkept)
        if (isAdded) return back
        // Always another session: one that was in this browser before may be somebody else's.
        return withSession(origin, yield* opened(userId, { deviceType: "browser", pushToken: null }))(back)
      }),

      tokens: Effect.fnUntraced(function*({ payload }) {
        if ("refresh_token" in payload) return told(yield* renewed(payload.refresh_token))
        const userId = yield* unavailable(redeemAppCode(payload.code, payload.code_verifier))
        if (Option.isNone(userId)) {
          return yield* new Unauthorized({
            detail: "code: is not one of this app's, or was used, or is older than a minute."
          })
        }
        return told(
          yield* opened(userId.value, { deviceType: payload.device_type, pushToken: payload.push_token ?? null })
        )
      }),

      renew: Effect.fnUntraced(function*({ request }) {
        const origin = yield* originOf(request)
        const cookie = cookieIn(request, "renewal", origin)
        if (cookie === "") return yield* new BadRequest({ detail: "There is no cookie to renew; sign in first." })
        if (!isFromOurPage(request, origin)) return yield* notOurPage
        return unkept(withSession(origin, yield* renewed(cookie))(HttpServerResponse.empty()))
      }),

      signOut: Effect.fnUntraced(function*({ request }) {
        const { sessionId, userId } = yield* CurrentVisitor
        yield* unavailable(sessions.revoke(userId, sessionId))
        const origin = ownOrigin(settings, request)
        const done = HttpServerResponse.empty()
        return origin === undefined ? done : withoutSession(origin)(done)
      })
    })
  })
)

const unkept = HttpServerResponse.setHeader("cache-control", "no-store")

const told = ({ access, refresh }: IssuedTokens) =>
  unkept(HttpServerResponse.jsonUnsafe({
    access_token: Redacted.value(access),
    token_type: "Bearer",
    expires_in: accessMillis / 1000,
    refresh_token: Redacted.value(refresh)
  }))

interface AppQuery {
  readonly app_redirect?: string
  readonly state?: string
  readonly code_challenge?: string
}

const appIn = Effect.fnUntraced(function*(query: AppQuery, allowed: ReadonlyArray<string>) {
  const { app_redirect: redirect, code_challenge: challenge, state } = query
  if (redirect === undefined) return Option.none()
  const url = URL.parse(redirect)
  // RFC 8252: an app on the pilot's own machine listens on any port there.
  const isNear = url?.protocol === "http:" && isLoopback(url) && url.hostname !== "localhost" && url.username === ""
  if (url === null || !isNear && !allowed.includes(redirect)) {
    return yield* new BadRequest({
      detail: "app_redirect: wants http://127.0.0.1:… or http://[::1]:…, or one of KILLMAILD_APP_REDIRECTS."
    })
  }
  if (challenge === undefined || state === undefined) {
    return yield* new BadRequest({ detail: "app_redirect: wants state and code_challenge (PKCE, S256) beside it." })
  }
  return Option.some({ redirect, challenge, state })
})

/** A path of ours; whatever leads elsewhere is the start. */
const localPath = (path = "/api/v1/me"): string => {
  const url = URL.parse(path, "http://ours")
  return path.startsWith("/") && url?.origin === "http://ours" ? url.pathname + url.search + url.hash : "/api/v1/me"
}
