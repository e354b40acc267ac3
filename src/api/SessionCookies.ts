/**
 * The cookies of a browser that signs in or is signed in. Under HTTPS their names begin with `__Host-`, so that no other host
 * and no unencrypted page can set them; plain ones are for this machine alone.
 */
import { Redacted } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { accessMillis, type IssuedTokens, refreshMillis } from "../accounts/SessionTokens.ts"
import { signInMillis } from "../accounts/SignIn.ts"

type Cookie = "session" | "renewal" | "sign-in"

const nameOf = (cookie: Cookie, origin: string): string =>
  origin.startsWith("https:") ? `__Host-killmaild-${cookie}` : `killmaild-${cookie}`

export const cookieIn = (
  { cookies }: Pick<HttpServerRequest.HttpServerRequest, "cookies">,
  cookie: Cookie,
  origin: string
): string => cookies[nameOf(cookie, origin)] ?? ""

/** Of a session that a browser shows: the token for requests, and the one for renewal, which only our own pages send. */
export const withSession =
  (origin: string, { access, refresh }: IssuedTokens) =>
  (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
    response.pipe(
      set("session", origin, Redacted.value(access), accessMillis),
      set("renewal", origin, Redacted.value(refresh), refreshMillis)
    )

export const withoutSession =
  (origin: string) => (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
    response.pipe(set("session", origin, "", 0), set("renewal", origin, "", 0))

/** Of a browser on its way to EVE's SSO. */
export const withSignIn = (origin: string, secret: string) => set("sign-in", origin, secret, signInMillis)
export const withoutSignIn = (origin: string) => set("sign-in", origin, "", 0)

const set = (cookie: Cookie, origin: string, value: string, millis: number) =>
  HttpServerResponse.setCookieUnsafe(nameOf(cookie, origin), value, {
    path: "/",
    httpOnly: true,
    secure: origin.startsWith("https:"),
    // The way back from EVE's SSO comes from another site.
    sameSite: cookie === "renewal" ? "strict" : "lax",
    maxAge: millis
  })
