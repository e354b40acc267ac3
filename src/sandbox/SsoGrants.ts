/**
 * What pilots allowed which application: codes, refresh tokens and access tokens, and how they end. Nobody knows when CCP
 * gives another refresh token; here each refresh does, and the one before is good until its successor was used.
 */
import { randomBytes } from "node:crypto"

/** In milliseconds. */
const codeLife = 300_000
/** A token says it lives a second less (`expires_in` is 1199). */
export const accessLife = 1_200_000

export interface Consent {
  readonly clientId: string
  readonly characterId: number
  readonly scopes: ReadonlyArray<string>
}

interface Code extends Consent {
  readonly redirectUri: string
  readonly challenge: string | undefined
  readonly expiresAt: number
}

export interface Grant extends Consent {
  /** All that are good: the newest, and the one it came from while the newest was not used. */
  refreshTokens: ReadonlyArray<string>
}

export interface SsoGrants {
  /** The pilot said yes; returns the code. A grant of the same character with other scopes ends. */
  readonly consent: (consent: Omit<Code, "expiresAt">, now: number) => string
  /** What the code stands for; it is used up. */
  readonly redeem: (code: string, now: number) => Code | undefined
  /** With a refresh token, unless no scope was asked for. */
  readonly open: (consent: Consent) => Grant
  /** The grant, with one more refresh token, which is the newest. */
  readonly refresh: (refreshToken: string) => Grant | undefined
  readonly revoke: (refreshToken: string) => void
  /** The pilot takes back all that was allowed to whomever. */
  readonly revokeAll: (characterId: number) => void
  readonly remember: (accessToken: string, consent: Consent, now: number) => void
  /** Whose token it is. */
  readonly holderOf: (accessToken: string, now: number) => Consent | undefined
}

export const ssoGrants = (speed: number): SsoGrants => {
  const codes = new Map<string, Code>()
  const grants = new Map<string, Grant>()
  const accesses = new Map<string, Consent & { readonly expiresAt: number }>()

  const end = (isMeant: (grant: Grant) => boolean) => {
    for (const [token, grant] of grants) if (isMeant(grant)) grants.delete(token)
  }

  return {
    consent: (consent, now) => {
      const scopes = sorted(consent.scopes)
      end((grant) =>
        grant.characterId === consent.characterId && grant.clientId === consent.clientId &&
        sorted(grant.scopes) !== scopes
      )
      const code = random()
      codes.set(code, { ...consent, expiresAt: now + codeLife / speed })
      return code
    },
    redeem: (code, now) => {
      const found = codes.get(code)
      codes.delete(code)
      return found !== undefined && found.expiresAt > now ? found : undefined
    },
    open: (consent) => {
      const refreshTokens = consent.scopes.length === 0 ? [] : [random()]
      const grant: Grant = { ...consent, refreshTokens }
      for (const token of refreshTokens) grants.set(token, grant)
      return grant
    },
    refresh: (token) => {
      const grant = grants.get(token)
      if (grant === undefined) return undefined
      for (const other of grant.refreshTokens) if (other !== token) grants.delete(other)
      const next = random()
      grants.set(next, grant)
      grant.refreshTokens = [token, next]
      return grant
    },
    revoke: (token) => {
      const revoked = grants.get(token)
      end((grant) => grant === revoked)
    },
    revokeAll: (characterId) => end((grant) => grant.characterId === characterId),
    remember: (token, consent, now) => {
      for (const [old, { expiresAt }] of accesses) {
        if (expiresAt > now) break
        accesses.delete(old)
      }
      accesses.set(token, { ...consent, expiresAt: now + accessLife / speed })
    },
    holderOf: (token, now) => {
      const found = accesses.get(token)
      return found !== undefined && found.expiresAt > now ? found : undefined
    }
  }
}

const random = (): string => randomBytes(24).toString("base64url")
const sorted = (scopes: ReadonlyArray<string>): string => scopes.toSorted().join(" ")
