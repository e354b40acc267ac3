import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Result } from "effect"
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from "jose"
import { Sso } from "../../src/accounts/Sso.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { ssoClient } from "../../src/sandbox/Sso.ts"
import { world } from "./AccountsWorld.ts"

const kids = { RS256: "JWT-Signature-Key", ES256: "8878a23f-2489-4045-989e-4d2f3ec1ae1a" } as const
type Alg = keyof typeof kids

const makeKeys = Effect.promise(async () => {
  const pairs = {
    RS256: await generateKeyPair("RS256", { extractable: true }),
    ES256: await generateKeyPair("ES256", { extractable: true })
  }
  const jwkOf = async (alg: Alg) => ({ ...await exportJWK(pairs[alg].publicKey), alg, kid: kids[alg], use: "sig" })
  return {
    pairs,
    jwks: JSON.stringify({ keys: [await jwkOf("RS256"), await jwkOf("ES256")], SkipUnresolvedJsonWebKeys: true }),
    publicPem: await exportSPKI(pairs.RS256.publicKey)
  }
})

const now = () => Math.floor(Date.now() / 1000)

const claimsAt = (sandbox: Sandbox): JWTPayload => ({
  iss: `${sandbox.url}/sso`,
  aud: [ssoClient.id, "EVE Online"],
  sub: "CHARACTER:EVE:2112000001",
  name: "Some Pilot",
  owner: "8PmzCeTKb4VFUDrHLc/AeZXDSWM=",
  scp: ["publicData", "esi-skills.read_skills.v1"],
  iat: now(),
  exp: now() + 1200
})

/** An SSO with keys that the test has, too. */
const forge = Effect.gen(function*() {
  const { context, sandbox } = yield* world()
  const keys = yield* makeKeys
  let isDown = false
  sandbox.intercept(({ path }) =>
    path !== "/oauth/jwks"
      ? undefined
      : isDown
      ? { status: 502, body: "<html></html>" }
      : { status: 200, headers: { "content-type": "application/json" }, body: keys.jwks }
  )
  const sign = (claims: JWTPayload, alg: Alg = "RS256", kid: string = kids[alg], key = keys.pairs[alg].privateKey) =>
    Effect.promise(() => new SignJWT(claims).setProtectedHeader({ alg, kid, typ: "JWT" }).sign(key))
  const identityOf = (token: string) =>
    Sso.use((sso) => Effect.result(sso.identityOf(Redacted.make(token)))).pipe(Effect.provide(context))
  const outcomeOf = (token: string) =>
    Effect.map(identityOf(token), (result) => Result.isFailure(result) ? result.failure._tag : result.success)
  return {
    sandbox,
    keys,
    sign,
    outcomeOf,
    claims: claimsAt(sandbox),
    down: (yes: boolean) => void (isDown = yes),
    questions: () => sandbox.requests().filter(({ path }) => path === "/sso/oauth/jwks").length
  }
})

describe("an access token of EVE's SSO", () => {
  it.live("names its character: by either key, from any way to write the issuer, with any number of scopes", () =>
    Effect.gen(function*() {
      const { claims, outcomeOf, sandbox, sign } = yield* forge
      const identity = {
        characterId: 2_112_000_001,
        name: "Some Pilot",
        ownerHash: "8PmzCeTKb4VFUDrHLc/AeZXDSWM=",
        scopes: ["publicData", "esi-skills.read_skills.v1"]
      }
      const issuer = `${sandbox.url}/sso`
      for (const alg of ["RS256", "ES256"] as const) {
        for (const iss of [issuer, `${issuer}/`, issuer.replace("http://", "")]) {
          assert.deepStrictEqual(yield* outcomeOf(yield* sign({ ...claims, iss }, alg)), identity)
        }
      }
      const { scp: _, ...none } = claims
      assert.deepInclude(yield* outcomeOf(yield* sign(none)), { scopes: [] })
      assert.deepInclude(yield* outcomeOf(yield* sign({ ...claims, scp: "publicData" })), { scopes: ["publicData"] })
      // Clocks differ a little.
      assert.deepInclude(yield* outcomeOf(yield* sign({ ...claims, exp: now() - 30 })), { name: "Some Pilot" })
    }))

  it.live("is refused when it is forged, expired, for somebody else, or names nobody", () =>
    Effect.gen(function*() {
      const { claims, keys, outcomeOf, sign } = yield* forge
      const strange = yield* makeKeys
      const good = yield* sign(claims)
      const [head, body, signature] = good.split(".") as [string, string, string]
      const other = Buffer.from(JSON.stringify({ ...claims, sub: "CHARACTER:EVE:1" })).toString("base64url")
      const hmac = yield* Effect.promise(() =>
        new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid: kids.RS256 }).sign(Buffer.from(keys.publicPem))
      )
      const without = (claim: string) =>
        sign(Object.fromEntries(Object.entries(claims).filter(([name]) => name !== claim)))
      const forged: Readonly<Record<string, string>> = {
        "no algorithm": new UnsecuredJWT(claims).encode(),
        "no signature": `${head}.${body}.`,
        "another body": `${head}.${other}.${signature}`,
        "HS256 with the public key": hmac,
        "another's key": yield* sign(claims, "RS256", kids.RS256, strange.pairs.RS256.privateKey),
        "an unknown key": yield* sign(claims, "ES256", "unknown", strange.pairs.ES256.privateKey),
        "the other key's name": yield* sign(claims, "RS256", kids.ES256),
        expired: yield* sign({ ...claims, exp: now() - 120 }),
        "not yet": yield* sign({ ...claims, nbf: now() + 600 }),
        "never expires": yield* without("exp"),
        "another issuer": yield* sign({ ...claims, iss: "https://login.evil.example" }),
        "another application's": yield* sign({ ...claims, aud: ["another", "EVE Online"] }),
        "not for EVE Online": yield* sign({ ...claims, aud: [ssoClient.id] }),
        "one audience": yield* sign({ ...claims, aud: "EVE Online" }),
        "of no character": yield* sign({ ...claims, sub: "EVE:CHARACTER:2112000001" }),
        "of a character that is no number": yield* sign({ ...claims, sub: "CHARACTER:EVE:1e9" }),
        "of nobody": yield* without("sub"),
        "of no owner": yield* without("owner"),
        garbage: "a.b.c",
        empty: ""
      }
      for (const [what, token] of Object.entries(forged)) {
        assert.strictEqual(yield* outcomeOf(token), "IdentityRefused", what)
      }
    }))

  it.live("is checked with the keys that are known while the SSO is down; unknown ones are not asked for all the time", () =>
    Effect.gen(function*() {
      const { claims, down, outcomeOf, questions, sign } = yield* forge
      down(true)
      const token = yield* sign(claims)
      assert.strictEqual(yield* outcomeOf(token), "SsoUnavailable")
      down(false)
      assert.deepInclude(yield* outcomeOf(token), { name: "Some Pilot" })
      down(true)
      assert.deepInclude(yield* outcomeOf(token), { name: "Some Pilot" })
      const before = questions()
      for (let time = 0; time < 5; time++) yield* outcomeOf(yield* sign(claims, "RS256", `unknown ${time}`))
      assert.isAtMost(questions(), before + 1)
    }))
})
