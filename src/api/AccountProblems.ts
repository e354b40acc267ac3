/** What a client is told when a sign-in does not end well. */
import { Effect } from "effect"
import type { SignInError } from "../accounts/SignIn.ts"
import { BadRequest, Unavailable } from "./ApiErrors.ts"
import { databaseAway } from "./Unavailable.ts"

/** OAuth's words for what is the pilot's doing, or of a code that is no good any more. */
const ofThePilot: Readonly<Record<string, string>> = {
  access_denied: "The sign-in was cancelled at EVE's SSO.",
  invalid_grant: "EVE's SSO does not know the code, or not any more; begin anew."
}

export const explainSignIn = (error: SignInError): Effect.Effect<never, BadRequest | Unavailable> => {
  const { message: detail } = error
  switch (error._tag) {
    case "SignInRefused":
      return Effect.fail(new BadRequest({ detail }))
    case "IdentityRefused":
      return Effect.andThen(Effect.logWarning(detail), Effect.fail(new BadRequest({ detail })))
    case "SignInOff":
    case "SsoUnavailable":
      return Effect.fail(new Unavailable({ detail }))
    case "SsoRefused": {
      const told = ofThePilot[error.error]
      if (told !== undefined) return Effect.fail(new BadRequest({ detail: told }))
      return Effect.andThen(
        Effect.logError(`Nobody can sign in: ${detail} See docs/sign-in.md.`),
        Effect.fail(new Unavailable({ detail: "EVE's SSO refuses this daemon; its operator's log says more." }))
      )
    }
    case "EncryptionKeysUnavailable":
      return Effect.andThen(
        Effect.logError(detail),
        Effect.fail(new Unavailable({ detail: "Tokens cannot be stored now; the operator's log says more." }))
      )
    case "SqlError":
      return databaseAway(error)
  }
}
