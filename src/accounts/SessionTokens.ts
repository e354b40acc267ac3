/** The tokens that a session shows: one for requests, one for renewal. They are told once, and only their hashes are kept. */
import { Context, Effect, Layer, type Option, Redacted } from "effect"
import type { SqlError } from "effect/sql"
import { randomBytes } from "node:crypto"
import { type Device, type HashedTokens, Sessions } from "../store/Sessions.ts"
import { hashOf } from "./SignIn.ts"

/** In milliseconds: a quarter of an hour, and 30 days after the last renewal. */
export const accessMillis = 15 * 60_000
export const refreshMillis = 30 * 24 * 3_600_000

export interface IssuedTokens {
  readonly access: Redacted.Redacted
  readonly refresh: Redacted.Redacted
}

/** Who asks, and in which session. */
export interface Visitor {
  readonly userId: string
  readonly sessionId: string
}

export class SessionTokens extends Context.Service<SessionTokens, {
  readonly open: (userId: string, device: Device) => Effect.Effect<IssuedTokens, SqlError.SqlError>
  /** Others in their place. A token for renewal that was used before ends its session. */
  readonly renew: (refresh: string) => Effect.Effect<IssuedTokens | "reused" | "unknown", SqlError.SqlError>
  readonly visitorOf: (access: string) => Effect.Effect<Option.Option<Visitor>, SqlError.SqlError>
}>()("killmaild/accounts/SessionTokens") {
  static readonly layer = Layer.effect(
    SessionTokens,
    Effect.gen(function*() {
      const sessions = yield* Sessions

      const open: SessionTokens["Service"]["open"] = Effect.fnUntraced(function*(userId, device) {
        const { hashed, issued } = issue()
        yield* sessions.create(userId, device, hashed)
        return issued
      })

      const renew: SessionTokens["Service"]["renew"] = Effect.fnUntraced(function*(refresh) {
        const { hashed, issued } = issue()
        const outcome = yield* sessions.rotate(hashOf(refresh), hashed)
        if (outcome === "reused") {
          yield* Effect.logWarning(
            "A session ended: its token for renewal was used twice, so somebody else has it, too."
          )
        }
        return outcome === "rotated" ? issued : outcome
      })

      return SessionTokens.of({ open, renew, visitorOf: (access) => sessions.find(hashOf(access)) })
    })
  )
}

/** Prefixed, so that whoever finds one in a file knows what it is. */
const issue = (): { readonly issued: IssuedTokens; readonly hashed: HashedTokens } => {
  const access = `kma_${randomBytes(32).toString("base64url")}`
  const refresh = `kmr_${randomBytes(32).toString("base64url")}`
  return {
    issued: { access: Redacted.make(access), refresh: Redacted.make(refresh) },
    hashed: { accessHash: hashOf(access), accessMillis, refreshHash: hashOf(refresh), refreshMillis }
  }
}
