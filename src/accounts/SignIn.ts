/**
 * A pilot's way to EVE's SSO and back, once and in one browser: a secret in that browser's cookie makes the PKCE verifier, and
 * only hashes are remembered here.
 */
import { Context, Effect, Layer, Option, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { createHash, randomBytes } from "node:crypto"
import { Users } from "../store/Users.ts"
import { AccessTokens } from "./AccessTokens.ts"
import type { EncryptionKeysUnavailable } from "./EncryptionKeys.ts"
import { type IdentityRefused, type SignInOff, Sso, type SsoRefused, type SsoUnavailable } from "./Sso.ts"

/** This answer is not one that this browser was sent for, or it came too late or twice. */
export class SignInRefused extends Schema.TaggedError<SignInRefused>()("SignInRefused", { message: Schema.String }) {}

/** The character is another user's here. */
export class CharacterTaken extends Schema.TaggedError<CharacterTaken>()("CharacterTaken", { name: Schema.String }) {
  override get message() {
    return `${this.name} has another account here: sign in with it and delete that account first.`
  }
}

/** Why a sign-in does not end well, whoever the pilot is. */
export type SignInError =
  | SignInRefused
  | SsoUnavailable
  | SsoRefused
  | SignInOff
  | IdentityRefused
  | EncryptionKeysUnavailable
  | SqlError.SqlError

/** An app that waits for the end: it proves with PKCE that it is the one that began. */
export interface App {
  readonly state: string
  readonly challenge: string
}

/** Milliseconds that a pilot has for choosing a character. */
export const signInMillis = 600_000
/** Milliseconds until an app has to have given its code back. */
const appCodeMillis = 60_000

export class SignIn extends Context.Service<SignIn, {
  /** Where to send the browser, and the secret that it is to bring back. With a user it adds a character. */
  readonly begin: (way: {
    readonly userId: string | null
    readonly returnTo: string
    readonly redirectUri: string
    readonly app: Option.Option<App>
  }) => Effect.Effect<
    { readonly url: URL; readonly browserSecret: string },
    SsoUnavailable | SignInOff | SqlError.SqlError
  >
  /** Who came back. */
  readonly finish: (way: {
    readonly query: URLSearchParams
    readonly browserSecret: string
    readonly redirectUri: string
  }) => Effect.Effect<
    {
      readonly userId: string
      readonly characterId: number
      readonly isAdded: boolean
      readonly returnTo: string
      /** What the app is to be told: its own state, and a code for a session. */
      readonly app: Option.Option<{ readonly state: string; readonly code: string }>
    },
    SignInError | CharacterTaken
  >
  /** Whose the code is that an app was told, if this app is the one. */
  readonly redeemAppCode: (
    code: string,
    verifier: string
  ) => Effect.Effect<Option.Option<string>, SqlError.SqlError>
}>()("killmaild/accounts/SignIn") {
  static readonly layer = Layer.effect(
    SignIn,
    Effect.gen(function*() {
      const users = yield* Users
      const tokens = yield* AccessTokens
      const sso = yield* Sso

      const begin: SignIn["Service"]["begin"] = Effect.fnUntraced(function*({ app, redirectUri, returnTo, userId }) {
        const state = random()
        const browserSecret = random()
        const url = yield* sso.authorizationUrl({ redirectUri, state, verifier: verifierOf(browserSecret, state) })
        yield* users.begin({
          stateHash: hashOf(state),
          browserHash: hashOf(browserSecret),
          user_id: userId,
          return_to: returnTo,
          app_state: Option.match(app, { onNone: () => null, onSome: ({ state }) => state }),
          app_challenge: Option.match(app, { onNone: () => null, onSome: ({ challenge }) => challenge }),
          millis: signInMillis
        })
        return { url, browserSecret }
      })

      const finish: SignIn["Service"]["finish"] = Effect.fnUntraced(
        function*({ browserSecret, query, redirectUri }) {
          const state = query.get("state") ?? ""
          const found = yield* users.finish(hashOf(state), hashOf(browserSecret))
          if (Option.isNone(found)) {
            return yield* new SignInRefused({
              message: "state: is not of a sign-in that this browser began within the last 10 minutes; begin anew."
            })
          }
          if (!query.has("error") && query.getAll("code").length !== 1) {
            return yield* new SignInRefused({ message: "code: wants one, from EVE's SSO; begin anew." })
          }
          const { app_challenge, app_state, return_to, user_id } = found.value
          const granted = yield* sso.redeem({ query, redirectUri, state, verifier: verifierOf(browserSecret, state) })
          const pilot = yield* sso.identityOf(granted.access)
          const userId = yield* users.welcome(pilot, user_id)
          if (Option.isNone(userId)) {
            if (granted.refresh !== undefined) yield* Effect.ignore(sso.revoke(granted.refresh))
            return yield* new CharacterTaken({ name: pilot.name })
          }
          yield* tokens.keep(pilot.characterId, pilot.scopes, granted)
          const code = random()
          if (app_challenge !== null) {
            yield* users.handOver({
              codeHash: hashOf(code),
              userId: userId.value,
              challenge: app_challenge,
              millis: appCodeMillis
            })
          }
          return {
            userId: userId.value,
            characterId: pilot.characterId,
            isAdded: user_id !== null,
            returnTo: return_to,
            app: app_challenge === null ? Option.none() : Option.some({ state: app_state ?? "", code })
          }
        },
        // A browser that hangs up must not lose what it was just granted.
        Effect.uninterruptible
      )

      const redeemAppCode: SignIn["Service"]["redeemAppCode"] = Effect.fnUntraced(function*(code, verifier) {
        const taken = yield* users.takeOver(hashOf(code))
        return Option.flatMap(
          taken,
          ({ challenge, user_id }) =>
            createHash("sha256").update(verifier).digest("base64url") === challenge
              ? Option.some(user_id)
              : Option.none()
        )
      })

      return SignIn.of({ begin, finish, redeemAppCode })
    })
  )
}

const random = (): string => randomBytes(32).toString("base64url")

export const hashOf = (secret: string): Uint8Array => createHash("sha256").update(secret).digest()

/** Known to whoever has both the cookie and the state, and to nobody else. */
const verifierOf = (browserSecret: string, state: string): string =>
  createHash("sha256").update(`pkce ${browserSecret} ${state}`).digest("base64url")
