/**
 * EVE's SSO: where a pilot is sent, what a code and a refresh token are exchanged for, and who stands behind an access token.
 * Its libraries are loaded when the first pilot comes.
 */
import { Context, Effect, Layer, Option, Redacted, Schema } from "effect"
import type { JWTPayload, JWTVerifyGetKey } from "jose"
import type { AuthorizationServer } from "oauth4webapi"
import { retryAfterMillis } from "../RetryAfter.ts"
import { isLoopback, Settings, userAgentFor } from "../Settings.ts"
import { scopes } from "./Scopes.ts"

/** No usable answer, which says nothing about any token: ask again later. */
export class SsoUnavailable extends Schema.TaggedError<SsoUnavailable>()("SsoUnavailable", {
  waitMillis: Schema.Finite,
  message: Schema.String
}) {}

/** It says no, with one of OAuth's words: `invalid_grant` is about this token, `invalid_client` about our application. */
export class SsoRefused extends Schema.TaggedError<SsoRefused>()("SsoRefused", { error: Schema.String }) {
  override get message() {
    return `EVE's SSO answered ${this.error}.`
  }
}

/** What was to be an access token of EVE's SSO for us is none. */
export class IdentityRefused extends Schema.TaggedError<IdentityRefused>()("IdentityRefused", {
  message: Schema.String
}) {}

/** Nobody can sign in: no application is set. */
export class SignInOff extends Schema.TaggedError<SignInOff>()("SignInOff", {}) {
  override get message() {
    return "Sign-in is off: the operator has set no KILLMAILD_SSO_CLIENT_ID."
  }
}

export interface Granted {
  readonly access: Redacted.Redacted
  /** None where no scope was granted. */
  readonly refresh: Redacted.Redacted | undefined
  /** Milliseconds that the access token lives. */
  readonly lifeMillis: number
}

/** Who stands behind an access token. */
export interface Identity {
  readonly characterId: number
  readonly name: string
  /** Changes when the character is sold. */
  readonly ownerHash: string
  readonly scopes: ReadonlyArray<string>
}

/** Until an answer was read whole, in milliseconds. */
export const deadlineMillis = 10_000
const laterMillis = 60_000
/** Clocks may differ by so many seconds. */
const clockTolerance = 60

export class Sso extends Context.Service<Sso, {
  /** Where a browser goes to choose a character. */
  readonly authorizationUrl: (request: {
    readonly redirectUri: string
    readonly state: string
    readonly verifier: string
  }) => Effect.Effect<URL, SsoUnavailable | SignInOff>
  /** What the browser came back with, exchanged for tokens. */
  readonly redeem: (answer: {
    readonly query: URLSearchParams
    readonly redirectUri: string
    readonly state: string
    readonly verifier: string
  }) => Effect.Effect<Granted, SsoUnavailable | SsoRefused | SignInOff>
  readonly refresh: (token: Redacted.Redacted) => Effect.Effect<Granted, SsoUnavailable | SsoRefused | SignInOff>
  /** Ends the grant. */
  readonly revoke: (token: Redacted.Redacted) => Effect.Effect<void, SsoUnavailable | SsoRefused | SignInOff>
  /** Checks signature, issuer, audience and time. */
  readonly identityOf: (
    access: Redacted.Redacted
  ) => Effect.Effect<Identity, SsoUnavailable | IdentityRefused | SignInOff>
}>()("killmaild/accounts/Sso") {
  static readonly layer = Layer.effect(
    Sso,
    Effect.gen(function*() {
      const settings = yield* Settings
      const { scheduleSpeed, ssoClientId, ssoClientSecret, ssoUrl } = settings
      const { attempt, unavailable } = readingAnswers(laterMillis / scheduleSpeed)
      const base = ssoUrl.href.replace(/\/+$/, "")
      const client = { client_id: ssoClientId }

      const off = ssoClientId === "" ? Effect.fail(new SignInOff()) : Effect.void
      const userAgent = userAgentFor(settings, ssoUrl).pipe(
        Effect.mapError(({ message }) => unavailable(message.replace(/\.$/, "")))
      )
      const libraries = Effect.promise(async () => ({
        oauth: await import("oauth4webapi"),
        jose: await import("jose")
      }))

      let known: { readonly server: AuthorizationServer; readonly keys: JWTVerifyGetKey } | undefined
      /** All that is needed to speak with it; its metadata are asked for once. */
      const ready = Effect.gen(function*() {
        yield* off
        const headers = { "user-agent": yield* userAgent }
        const { jose, oauth } = yield* libraries
        const options = {
          headers,
          signal: () => AbortSignal.timeout(deadlineMillis),
          [oauth.allowInsecureRequests]: isLoopback(ssoUrl)
        }
        known ??= yield* attempt(async () => {
          const address = `${base}/.well-known/oauth-authorization-server`
          const answer = await fetch(address, { headers, signal: AbortSignal.timeout(deadlineMillis) })
          const server = await oauth.processDiscoveryResponse(new URL(base), answer)
          if (server.jwks_uri === undefined) throw new Error("no keys")
          // Kept until a token names another one: the keys that are known hold while the SSO is down.
          const keys = jose.createRemoteJWKSet(new URL(server.jwks_uri), {
            headers,
            timeoutDuration: deadlineMillis,
            cacheMaxAge: Number.POSITIVE_INFINITY
          })
          return { server, keys }
        })
        const authentication = Option.match(ssoClientSecret, {
          onNone: () => oauth.None(),
          onSome: (secret) => oauth.ClientSecretPost(Redacted.value(secret))
        })
        return { ...known, authentication, jose, oauth, options }
      })

      /** Its metadata say nothing of any token. */
      const readyToRead = Effect.catchTag(
        ready,
        "SsoRefused",
        ({ error }) => Effect.fail(unavailable(`it answered ${error}`))
      )

      const authorizationUrl: Sso["Service"]["authorizationUrl"] = Effect.fnUntraced(
        function*({ redirectUri, state, verifier }) {
          const { oauth, server } = yield* readyToRead
          const challenge = yield* Effect.promise(() => oauth.calculatePKCECodeChallenge(verifier))
          const url = new URL(server.authorization_endpoint ?? `${base}/v2/oauth/authorize`)
          const query = {
            response_type: "code",
            client_id: ssoClientId,
            redirect_uri: redirectUri,
            scope: scopes.join(" "),
            state,
            code_challenge: challenge,
            code_challenge_method: "S256"
          }
          for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
          return url
        }
      )

      const redeem: Sso["Service"]["redeem"] = Effect.fn("Sso.redeem")(
        function*({ query, redirectUri, state, verifier }) {
          const { authentication, oauth, options, server } = yield* ready
          return yield* attempt(async () => {
            const checked = oauth.validateAuthResponse(server, client, query, state)
            const answer = await oauth.authorizationCodeGrantRequest(
              server,
              client,
              authentication,
              checked,
              redirectUri,
              verifier,
              options
            )
            return grantedFrom(await oauth.processAuthorizationCodeResponse(server, client, answer))
          })
        }
      )

      const refresh: Sso["Service"]["refresh"] = Effect.fn("Sso.refresh")(function*(token) {
        const { authentication, oauth, options, server } = yield* ready
        return yield* attempt(async () => {
          const answer = await oauth.refreshTokenGrantRequest(
            server,
            client,
            authentication,
            Redacted.value(token),
            options
          )
          return grantedFrom(await oauth.processRefreshTokenResponse(server, client, answer))
        })
      })

      const revoke: Sso["Service"]["revoke"] = Effect.fn("Sso.revoke")(function*(token) {
        const { authentication, oauth, options, server } = yield* ready
        yield* attempt(async () => {
          const answer = await oauth.revocationRequest(
            server,
            client,
            authentication,
            Redacted.value(token),
            { ...options, additionalParameters: { token_type_hint: "refresh_token" } }
          )
          await oauth.processRevocationResponse(answer)
        })
      })

      const identityOf: Sso["Service"]["identityOf"] = Effect.fn("Sso.identityOf")(function*(access) {
        const { jose, keys } = yield* readyToRead
        const { payload } = yield* Effect.tryPromise({
          try: () =>
            jose.jwtVerify(Redacted.value(access), keys, {
              algorithms: ["RS256", "ES256"],
              issuer: [base, `${base}/`, base.replace(/^https?:\/\//, "")],
              audience: ssoClientId,
              clockTolerance,
              requiredClaims: ["sub", "exp", "name", "owner"]
            }),
          catch: (error) =>
            error instanceof jose.errors.JOSEError && !unansweredKeys.has(error.code)
              ? new IdentityRefused({ message: `EVE's SSO gave a token that does not hold (${error.code}).` })
              : unavailable("its keys cannot be had")
        })
        const identity = identityIn(payload)
        return identity ?? (yield* new IdentityRefused({ message: "EVE's SSO gave a token that names no character." }))
      })

      return Sso.of({ authorizationUrl, redeem, refresh, revoke, identityOf })
    })
  )
}

/** The keys did not come: that says nothing of the token. */
const unansweredKeys = new Set(["ERR_JWKS_TIMEOUT", "ERR_JOSE_GENERIC", "ERR_JWKS_INVALID"])

/** What the library throws, as far as it matters here. Never quoted: it may hold what was sent. */
interface OAuthProblem {
  readonly code?: string
  readonly error?: unknown
  /** The answer, when it was none of OAuth's; else it is in `response`. */
  readonly cause?: unknown
  readonly response?: Response
}

/** What its answers, and their absence, mean; where it does not say how long to wait, so many milliseconds. */
const readingAnswers = (laterMillis: number) => {
  const unavailable = (problem: string, waitMillis = laterMillis) =>
    new SsoUnavailable({ waitMillis, message: `EVE's SSO cannot be used: ${problem}.` })

  const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, SsoUnavailable | SsoRefused> =>
    Effect.tryPromise({
      try: run,
      catch: (thrown) => {
        const { cause, code, error, response = cause } = thrown as OAuthProblem
        const { headers, status } = response instanceof Response ? response : { headers: new Headers(), status: 0 }
        if (status === 429) {
          return unavailable("it answered 429", retryAfterMillis(Object.fromEntries(headers)) || laterMillis)
        }
        // EVE's SSO once said invalid_token where it means invalid_grant.
        if (typeof error === "string" && status < 500) {
          return new SsoRefused({ error: error === "invalid_token" ? "invalid_grant" : error.slice(0, 100) })
        }
        return code === "OAUTH_WWW_AUTHENTICATE_CHALLENGE"
          ? new SsoRefused({ error: "invalid_client" })
          : unavailable(status >= 500 ? `it answered ${status}` : "it gave no answer that can be read")
      }
    })

  return { attempt, unavailable }
}

const grantedFrom = (
  answer: { readonly access_token: string; readonly refresh_token?: string; readonly expires_in?: number }
): Granted => ({
  access: Redacted.make(answer.access_token),
  refresh: answer.refresh_token === undefined ? undefined : Redacted.make(answer.refresh_token),
  lifeMillis: 1000 * (answer.expires_in ?? 0)
})

const Claims = Schema.Struct({
  aud: Schema.Array(Schema.String),
  sub: Schema.String,
  name: Schema.String,
  owner: Schema.String,
  // Absent for none, a text for one.
  scp: Schema.optionalKey(Schema.Union([Schema.String, Schema.Array(Schema.String)]))
})
const decodeClaims = Schema.decodeUnknownOption(Claims)

const identityIn = (payload: JWTPayload): Identity | undefined => {
  const claims = Option.getOrUndefined(decodeClaims(payload))
  const [, id] = /^CHARACTER:EVE:(\d{1,15})$/.exec(claims?.sub ?? "") ?? []
  if (claims === undefined || id === undefined || !claims.aud.includes("EVE Online")) return undefined
  const { name, owner, scp = [] } = claims
  return { characterId: Number(id), name, ownerHash: owner, scopes: typeof scp === "string" ? [scp] : scp }
}
