/** Access tokens as EVE's SSO signs them (JWT), and the keys that prove it (JWKS): one of RSA and one of an elliptic curve. */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto"

interface SigningKey {
  readonly kid: string
  readonly alg: "RS256" | "ES256"
  readonly privateKey: KeyObject
}

/** What an access token says of its holder. */
export interface Holder {
  readonly characterId: number
  readonly name: string
  /** Changes when the character changes hands. */
  readonly owner: string
  readonly clientId: string
  readonly scopes: ReadonlyArray<string>
}

export interface SsoTokens {
  /** The public keys, as `/oauth/jwks` shows them. */
  readonly jwks: () => { readonly keys: ReadonlyArray<object>; readonly SkipUnresolvedJsonWebKeys: boolean }
  /** A signed token; times are seconds since 1970. `issuer` is the SSO's address. */
  readonly issue: (holder: Holder, issuer: string, issuedAt: number, expiresAt: number) => string
}

export const ssoTokens = (): SsoTokens => {
  let made: readonly [SigningKey, SigningKey] | undefined
  // An RSA key takes a moment: whoever signs nobody in does not wait for it.
  const keys = () => made ??= [rsaKey(), ellipticKey()]
  let count = 0

  return {
    jwks: () => ({
      keys: keys().map(({ alg, kid, privateKey }) => ({
        ...createPublicKey(privateKey).export({ format: "jwk" }),
        alg,
        kid,
        use: "sig"
      })),
      SkipUnresolvedJsonWebKeys: true
    }),
    issue: (holder, issuer, issuedAt, expiresAt) => {
      const [rsa, elliptic] = keys()
      // All the forms that clients have met: mostly RS256, and three ways to write the issuer.
      const key = count % 4 === 3 ? elliptic : rsa
      const forms = [issuer, issuer.replace(/^https?:\/\//, ""), `${issuer}/`]
      const iss = forms[count++ % forms.length]!
      return signed(key, claimsOf(holder, iss, key.kid, issuedAt, expiresAt))
    }
  }
}

const rsaKey = (): SigningKey => ({
  kid: "JWT-Signature-Key",
  alg: "RS256",
  privateKey: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey
})

const ellipticKey = (): SigningKey => ({
  kid: randomUUID(),
  alg: "ES256",
  privateKey: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey
})

const claimsOf = (holder: Holder, iss: string, kid: string, iat: number, exp: number) => ({
  // Absent, one text, or a list.
  ...(holder.scopes.length === 0 ? {} : { scp: holder.scopes.length === 1 ? holder.scopes[0] : holder.scopes }),
  jti: randomUUID(),
  kid,
  sub: `CHARACTER:EVE:${holder.characterId}`,
  azp: holder.clientId,
  tenant: "tranquility",
  tier: "live",
  region: "world",
  aud: [holder.clientId, "EVE Online"],
  name: holder.name,
  owner: holder.owner,
  exp,
  iat,
  iss
})

const signed = ({ alg, kid, privateKey }: SigningKey, claims: object): string => {
  const head = `${encoded({ alg, kid, typ: "JWT" })}.${encoded(claims)}`
  const signature = sign("sha256", Buffer.from(head), { key: privateKey, dsaEncoding: "ieee-p1363" })
  return `${head}.${signature.toString("base64url")}`
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url")
