/** Who is signed in: what lets users into endpoints that are their own, or that they may use as the operator may. */
import { Effect, Layer, Option, Redacted } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { SessionTokens } from "../accounts/SessionTokens.ts"
import { Settings } from "../Settings.ts"
import { AdminToken } from "./AdminToken.ts"
import { Contributor, CurrentVisitor, Forbidden, SignedIn, Unauthorized } from "./ApiErrors.ts"
import { isFromOurPage, ownOrigin } from "./OwnOrigin.ts"
import { cookieIn } from "./SessionCookies.ts"
import { unavailable } from "./Unavailable.ts"

const unauthorized = new Unauthorized({
  detail: "Wants a session: sign in at /api/v1/auth/sign-in, or Authorization: Bearer … with its access token."
})

export const notOurPage = new Forbidden({
  detail: "A cookie counts on our own pages alone; others want Authorization: Bearer …"
})

/** What is somebody's own is kept nowhere on the way. */
const kept = HttpServerResponse.setHeaders({ "cache-control": "no-store", "vary": "Cookie, Authorization" })

/** Whose session a request shows. */
const readVisitor = Effect.gen(function*() {
  const settings = yield* Settings
  const tokens = yield* SessionTokens

  /** A token that is shown goes before a cookie that comes along. */
  const shownBy = Effect.fnUntraced(function*(bearer: string) {
    const request = yield* HttpServerRequest.HttpServerRequest
    if (request.headers["authorization"] !== undefined) return bearer
    const origin = ownOrigin(settings, request)
    const cookie = origin === undefined ? "" : cookieIn(request, "session", origin)
    if (cookie !== "" && !isFromOurPage(request, origin!)) return yield* notOurPage
    return cookie
  })

  return Effect.fnUntraced(function*(credential: Redacted.Redacted) {
    const token = yield* shownBy(Redacted.value(credential))
    const visitor = token === "" ? Option.none() : yield* unavailable(tokens.visitorOf(token))
    return Option.isSome(visitor) ? visitor.value : yield* unauthorized
  })
})

const SignedInLive = Layer.effect(
  SignedIn,
  Effect.gen(function*() {
    const visitorOf = yield* readVisitor
    return SignedIn.of({
      bearer: Effect.fnUntraced(function*(effect, { credential }) {
        return kept(yield* Effect.provideService(effect, CurrentVisitor, yield* visitorOf(credential)))
      })
    })
  })
)

const ContributorLive = Layer.effect(
  Contributor,
  Effect.gen(function*() {
    const operator = yield* AdminToken
    const visitorOf = yield* readVisitor
    return Contributor.of({
      bearer: (effect, { credential }) =>
        operator.matches(Redacted.value(credential)) ? effect : Effect.andThen(visitorOf(credential), effect)
    })
  })
)

export const layer = Layer.merge(SignedInLive, ContributorLive)
