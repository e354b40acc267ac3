/** The contract of `/api/v1/auth`: how pilots sign in, and how their sessions go on. */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { BadRequest, Conflict, Forbidden, SignedIn, Unauthorized, Unavailable } from "./ApiErrors.ts"

// RFC 7636
const Verifier = Schema.String.check(
  Schema.isPattern(/^[\w.~-]{43,128}$/u, { expected: "43 to 128 letters, digits, -, ., _ or ~" })
)
const Challenge = Schema.String.check(
  Schema.isPattern(/^[\w-]{43}$/u, { expected: "the SHA-256 of the verifier in base64url, 43 characters" })
)
const Text = Schema.String.check(
  Schema.isPattern(/^[^\0]{0,2000}$/u, { expected: "at most 2000 characters, none of them U+0000" })
)

export const DeviceType = Schema.Literals(["browser", "desktop", "android", "ios"])
export const PushToken = Schema.String.check(
  Schema.isPattern(/^[!-~]{1,4096}$/u, { expected: "1 to 4096 characters of ASCII without spaces" })
).annotate({
  description: "The device's registration token of Firebase Cloud Messaging"
})

/** What an app gets in exchange for its code, or for its last refresh token. */
const Tokens = Schema.Struct({
  access_token: Schema.String.annotate({ description: "For Authorization: Bearer" }),
  token_type: Schema.Literal("Bearer"),
  expires_in: Schema.Int.annotate({ description: "Seconds that the access token lives" }),
  refresh_token: Schema.String.annotate({ description: "For the next two tokens, once: a second use ends the session" })
}).annotate({ identifier: "SessionTokens" })

const Exchange = Schema.Union([
  Schema.Struct({
    code: Text,
    code_verifier: Verifier,
    device_type: DeviceType,
    push_token: Schema.optionalKey(PushToken)
  }),
  Schema.Struct({ refresh_token: Text })
])

const redirect = HttpApiSchema.Empty(302)

export class AuthApi extends HttpApiGroup.make("auth")
  .add(
    HttpApiEndpoint.get("signIn", "/sign-in", {
      query: {
        return_to: Schema.optionalKey(Text.annotate({ description: "Path of ours to end at" })),
        add: Schema.optionalKey(
          Schema.Literal("true").annotate({ description: "Add a character to whoever is signed in" })
        ),
        app_redirect: Schema.optionalKey(
          Text.annotate({
            description: "Where an app waits for `code` and `state`: on this machine, or as the operator allows"
          })
        ),
        state: Schema.optionalKey(Text.annotate({ description: "Of the app, given back to it" })),
        code_challenge: Schema.optionalKey(Challenge.annotate({ description: "Of the app: PKCE, S256" }))
      },
      success: redirect,
      error: [BadRequest, Unauthorized, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Sends a browser to EVE's SSO" })),
    HttpApiEndpoint.get("callback", "/callback", {
      success: redirect,
      error: [BadRequest, Conflict, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Where EVE's SSO sends the browser back to" })),
    HttpApiEndpoint.post("tokens", "/tokens", {
      payload: Exchange,
      success: Tokens,
      error: [BadRequest, Unauthorized, Unavailable]
    })
      // Of a union each member would refuse the fields of the others; RFC 6749 lets unknown ones be.
      .annotate(HttpApi.PayloadParseOptions, {})
      .annotateMerge(OpenApi.annotations({ summary: "Gives an app the tokens of a session, or the next ones" })),
    HttpApiEndpoint.post("renew", "/renew", {
      success: HttpApiSchema.NoContent,
      error: [BadRequest, Forbidden, Unauthorized, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Renews a browser's cookies" })),
    HttpApiEndpoint.post("signOut", "/sign-out", { success: HttpApiSchema.NoContent, error: Unavailable })
      .middleware(SignedIn)
      .annotateMerge(OpenApi.annotations({ summary: "Ends this session" }))
  )
  .prefix("/api/v1/auth")
{}
