/** The access token of Google's OAuth for a service account: a claim that we sign is exchanged for it, once in an hour. */
import { Clock, Effect, Redacted, Schema, Semaphore } from "effect"
import { HttpClient, HttpClientRequest, HttpClientResponse, UrlParams } from "effect/http"
import type { ServiceAccount } from "../Settings.ts"

const scope = "https://www.googleapis.com/auth/firebase.messaging"
/** Another one is asked for so long before the end, in milliseconds. */
const aheadMillis = 60_000

const Granted = Schema.Struct({
  access_token: Schema.String,
  /** Seconds. */
  expires_in: Schema.Finite
})

/** Google gives no token now, or not for this account. */
export class GoogleTokenUnavailable extends Schema.TaggedError<GoogleTokenUnavailable>()("GoogleTokenUnavailable", {
  message: Schema.String
}) {}

/** The library is loaded with the first message. */
const claimOf = (account: ServiceAccount) =>
  Effect.tryPromise({
    try: async () => {
      const { importPKCS8, SignJWT } = await import("jose")
      const { client_email, private_key, private_key_id, token_uri } = account
      return await new SignJWT({ scope })
        .setProtectedHeader({
          alg: "RS256",
          typ: "JWT",
          ...(private_key_id === undefined ? {} : { kid: private_key_id })
        })
        .setIssuer(client_email)
        .setAudience(token_uri)
        .setIssuedAt()
        .setExpirationTime("1h")
        .sign(await importPKCS8(private_key, "RS256"))
    },
    catch: () => new GoogleTokenUnavailable({ message: "KILLMAILD_FCM_ACCOUNT: its private_key cannot sign." })
  })

/** Gives the one there is while it is good; `otherThan` is one that was refused. */
export const makeGoogleToken = Effect.fnUntraced(
  function*(account: ServiceAccount, client: HttpClient.HttpClient, userAgent: string) {
    const one = yield* Semaphore.make(1)
    let kept: { readonly token: Redacted.Redacted; readonly until: number } | undefined

    const request = Effect.gen(function*() {
      const body = UrlParams.fromInput({
        grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
        assertion: yield* claimOf(account)
      })
      const { access_token, expires_in } = yield* HttpClientRequest.post(account.token_uri, {
        headers: { "user-agent": userAgent }
      }).pipe(
        HttpClientRequest.bodyUrlParams(body),
        client.execute,
        Effect.flatMap(HttpClientResponse.filterStatusOk),
        Effect.flatMap(HttpClientResponse.schemaBodyJson(Granted)),
        Effect.timeout("10 seconds"),
        Effect.provideService(HttpClient.TracerPropagationEnabled, false),
        Effect.mapError(({ _tag }) =>
          new GoogleTokenUnavailable({ message: `Google gives no access token (${_tag}).` })
        )
      )
      const until = (yield* Clock.currentTimeMillis) + expires_in * 1000 - Math.min(aheadMillis, expires_in * 100)
      kept = { token: Redacted.make(access_token), until }
      return kept.token
    })

    return (otherThan?: Redacted.Redacted) =>
      one.withPermit(Effect.gen(function*() {
        const isGood = kept !== undefined && kept.token !== otherThan && kept.until > (yield* Clock.currentTimeMillis)
        return isGood ? kept!.token : yield* request
      }))
  }
)
