/**
 * The access token of a pilot's character, for whoever asks ESI in its name: kept encrypted, renewed when it is about to
 * expire, by one at a time over all replicas. It is not to be written into any job, log or trace.
 */
import { Context, Effect, Layer, Metric, Option, Redacted, Schedule, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { randomUUID } from "node:crypto"
import { explainSql } from "../ExplainSql.ts"
import * as Job from "../jobs/Job.ts"
import { isPassing } from "../store/Database.ts"
import { type KeptTokens, type SealedTokens, UserTokens } from "../store/UserTokens.ts"
import { EncryptionKeys, type EncryptionKeysUnavailable } from "./EncryptionKeys.ts"
import { deadlineMillis, type Granted, type SignInOff, Sso, type SsoRefused, type SsoUnavailable } from "./Sso.ts"
import { open, seal, type Tokens, type TokenUnreadable } from "./TokenCipher.ts"

/** There is no token: the character never signed in, left, or has to sign in again. */
export class TokenGone extends Schema.TaggedError<TokenGone>()("TokenGone", { characterId: Schema.Int }) {
  override get message() {
    return `Character ${this.characterId} has to sign in first.`
  }
}

/** Somebody else renews it at this moment. */
export class TokenBusy extends Schema.TaggedError<TokenBusy>()("TokenBusy", {
  characterId: Schema.Int,
  waitMillis: Schema.Finite
}) {
  override get message() {
    return `The token of character ${this.characterId} is being renewed.`
  }
}

export type TokenError =
  | TokenGone
  | TokenBusy
  | TokenUnreadable
  | EncryptionKeysUnavailable
  | SsoUnavailable
  | SsoRefused
  | SignInOff
  | SqlError.SqlError

/** A refresh is over by then, however it ended: its deadline, and as long again for storing what it brought. */
const leaseMillis = 3 * deadlineMillis
/** Whoever leaves does not wait longer for EVE's SSO. */
const revokeMillis = 5000
/** A token is renewed when so much of its life is over. */
const freshShare = 0.95
/** Between two tries to store a token that was just given: the one before may be good no more. */
const insistently = Schedule.spaced("250 millis").pipe(Schedule.upTo({ duration: leaseMillis - deadlineMillis }))

const refreshes = Metric.counter("killmaild_token_refreshes_total", {
  description: "Refreshes of pilots' tokens by outcome: renewed, gone, failed",
  incremental: true
})
const count = (outcome: "renewed" | "gone" | "failed") =>
  Metric.update(Metric.withAttributes(refreshes, { outcome }), 1)

export class AccessTokens extends Context.Service<AccessTokens, {
  /** One that is good for a while yet. `otherThan` is one that ESI refused with 401. */
  readonly of: (
    characterId: number,
    options?: { readonly otherThan?: Redacted.Redacted }
  ) => Effect.Effect<Redacted.Redacted, TokenError>
  /** Renews it even where it is good: refresh tokens that nobody uses may die. */
  readonly renew: (characterId: number) => Effect.Effect<void, TokenError>
  /** What a sign-in brought. */
  readonly keep: (
    characterId: number,
    scopes: ReadonlyArray<string>,
    granted: Granted
  ) => Effect.Effect<void, EncryptionKeysUnavailable | SqlError.SqlError>
  /** Ends the grants of a user at EVE's SSO, or that of one character; returns how many could not be reached. */
  readonly revoke: (
    userId: string,
    characterId?: number
  ) => Effect.Effect<{ readonly revoked: number; readonly unreached: number }, SqlError.SqlError>
}>()("killmaild/accounts/AccessTokens") {
  static readonly layer = Layer.effect(
    AccessTokens,
    Effect.gen(function*() {
      const store = yield* UserTokens
      const keys = yield* EncryptionKeys
      const sso = yield* Sso

      const opened = Effect.fnUntraced(function*(kept: KeptTokens) {
        const all = yield* keys.all
        return yield* Effect.try({
          try: () => open(all, kept.character_id, kept),
          catch: (error) => error as TokenUnreadable
        })
      })

      const sealed = (characterId: number, tokens: Tokens): Effect.Effect<SealedTokens, EncryptionKeysUnavailable> =>
        Effect.map(keys.all, ([first]) => seal(first, characterId, tokens))

      const found = Effect.fnUntraced(function*(characterId: number) {
        const kept = yield* store.find(characterId)
        return Option.isSome(kept) ? kept.value : yield* new TokenGone({ characterId })
      })

      const drop = Effect.fnUntraced(
        function*(kept: KeptTokens, sealedRefresh: Uint8Array, because: "invalid_grant" | "owner_changed") {
          if (yield* store.drop(kept.character_id, sealedRefresh, because)) {
            yield* Effect.logInfo(`Character ${kept.character_id} has to sign in again: ${because}`)
          }
          return yield* new TokenGone({ characterId: kept.character_id })
        }
      )

      /** Whom the renewed token is of, as long as the SSO can tell; one that was sold is not to be used. */
      const checkOwner = Effect.fnUntraced(function*(kept: KeptTokens, after: SealedTokens, access: Redacted.Redacted) {
        const identity = yield* Effect.option(sso.identityOf(access))
        if (Option.isNone(identity)) return
        const { characterId, ownerHash } = identity.value
        if (characterId === kept.character_id && ownerHash === kept.owner_hash) return
        yield* drop(kept, after.refresh_token, "owner_changed")
      })

      /** From the lease to its end: what was given is stored, whatever becomes of the caller. */
      const renewLeased = Effect.fnUntraced(function*(kept: KeptTokens, leaseId: string) {
        const { refresh } = yield* opened(kept)
        const granted = yield* sso.refresh(refresh)
        const tokens = { access: granted.access, refresh: granted.refresh ?? refresh }
        const after = yield* sealed(kept.character_id, tokens)
        const isKept = yield* store.renew(kept.character_id, leaseId, {
          ...after,
          freshMillis: granted.lifeMillis * freshShare
        }).pipe(Effect.retry({ while: isPassing, schedule: insistently }))
        if (!isKept) return yield* new TokenBusy({ characterId: kept.character_id, waitMillis: 1000 })
        yield* checkOwner(kept, after, granted.access)
        return granted.access
      })

      const renewed = Effect.fn("AccessTokens.renew")(
        function*(characterId: number) {
          const leaseId = randomUUID()
          const leased = yield* store.lease(characterId, leaseId, leaseMillis)
          if (Option.isNone(leased)) {
            const { leased_for } = yield* found(characterId)
            return yield* new TokenBusy({ characterId, waitMillis: Math.min(Math.max(leased_for, 100), 1000) })
          }
          return yield* renewLeased(leased.value, leaseId).pipe(
            Effect.catchIf(
              (error) => error._tag === "SsoRefused" && error.error === "invalid_grant",
              () => drop(leased.value, leased.value.refresh_token, "invalid_grant")
            ),
            Effect.tapError(() => Effect.ignore(store.release(characterId, leaseId))),
            Effect.tap(count("renewed")),
            Effect.tapError(({ _tag }) => count(_tag === "TokenGone" ? "gone" : "failed"))
          )
        },
        Effect.uninterruptible
      )

      const of: AccessTokens["Service"]["of"] = Effect.fnUntraced(function*(characterId, options) {
        const kept = yield* found(characterId)
        if (kept.is_stale) return yield* renewed(characterId)
        const { access } = yield* opened(kept)
        const { otherThan } = options ?? {}
        return otherThan !== undefined && Redacted.value(otherThan) === Redacted.value(access)
          ? yield* renewed(characterId)
          : access
      })

      const keep: AccessTokens["Service"]["keep"] = Effect.fnUntraced(function*(characterId, scopes, granted) {
        // Without any scope there is nothing to ask ESI with it.
        if (granted.refresh === undefined) return
        const tokens = yield* sealed(characterId, { access: granted.access, refresh: granted.refresh })
        yield* store.put(characterId, { ...tokens, scopes, freshMillis: granted.lifeMillis * freshShare })
      })

      const revoke: AccessTokens["Service"]["revoke"] = Effect.fnUntraced(function*(userId, characterId) {
        const all = (yield* store.ofUser(userId)).filter(({ character_id }) =>
          characterId === undefined || character_id === characterId
        )
        const outcomes = yield* Effect.forEach(
          all,
          (kept) =>
            Effect.result(
              Effect.timeout(Effect.flatMap(opened(kept), ({ refresh }) => sso.revoke(refresh)), revokeMillis)
            ),
          { concurrency: 10 }
        )
        const revoked = outcomes.filter(({ _tag }) => _tag === "Success").length
        return { revoked, unreached: outcomes.length - revoked }
      })

      return AccessTokens.of({ of, renew: (characterId) => Effect.asVoid(renewed(characterId)), keep, revoke })
    })
  )
}

/** Asks with the character's token. It may end before its time: where it is refused, another one is tried, once. */
export const askWithToken = Effect.fnUntraced(function*<A, E, R>(
  characterId: number,
  ask: (token: Redacted.Redacted) => Effect.Effect<A, E, R>,
  isRefused: (error: E) => boolean
) {
  const tokens = yield* AccessTokens
  const token = yield* tokens.of(characterId)
  return yield* Effect.catchIf(
    ask(token),
    isRefused,
    () => Effect.flatMap(tokens.of(characterId, { otherThan: token }), ask)
  )
})

/** What it means for a job that needs a token. */
export const explainToken = (error: TokenError): Job.JobError => {
  const { message } = error
  switch (error._tag) {
    case "TokenGone":
      return new Job.JobRefused({ reason: "token_gone", message })
    case "TokenBusy":
      return new Job.JobPostponed({ delayMillis: error.waitMillis, message })
    case "SsoUnavailable":
      return new Job.JobPostponed({ delayMillis: error.waitMillis * (1 + Math.random()), message })
    case "SqlError":
      return explainSql(error)
    case "TokenUnreadable":
    case "EncryptionKeysUnavailable":
      return new Job.JobFailed({ reason: "token_unreadable", message })
    case "SsoRefused":
    case "SignInOff":
      return new Job.JobFailed({ reason: "sso_refused", message })
  }
}
