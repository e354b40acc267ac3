import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from "jose"
import { createHash } from "node:crypto"
import { type Sandbox, start } from "../../src/sandbox/Sandbox.ts"
import { ssoClient } from "../../src/sandbox/Sso.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { contact, get } from "./Visitor.ts"

const promise = <A>(run: () => Promise<A>) => Effect.promise(run)
const sandboxAt = (speed = 1) => start({ port: 0, speed, seed: "tests", faults: 0, world: "manual" })

const pilot = killmailOf("tests", 1).killmail.victim.character_id!
const verifier = "a-verifier-that-is-long-enough-for-the-rules-of-rfc-7636"
const redirect_uri = "http://127.0.0.1:8080/api/v1/auth/callback"
const scope = "publicData esi-killmails.read_killmails.v1"

const authorization = {
  response_type: "code",
  client_id: ssoClient.id,
  redirect_uri,
  scope,
  state: "any",
  code_challenge: createHash("sha256").update(verifier).digest("base64url"),
  code_challenge_method: "S256",
  character: String(pilot)
}

const authorize = (sandbox: Sandbox, more: Readonly<Record<string, string | undefined>> = {}) => {
  const wanted = Object.entries({ ...authorization, ...more }).filter(([, value]) => value !== undefined)
  return get(sandbox, `/sso/v2/oauth/authorize?${new URLSearchParams(wanted as Array<[string, string]>)}`)
}

const codeFrom = async (sandbox: Sandbox, more: Readonly<Record<string, string>> = {}) => {
  const answer = await authorize(sandbox, more)
  assert.strictEqual(answer.status, 302)
  const target = new URL(answer.headers.get("location")!)
  assert.strictEqual(target.searchParams.get("state"), "any")
  return target.searchParams.get("code")!
}

/** What the endpoint tells, in words of OAuth 2. */
interface Told {
  readonly access_token: string
  readonly refresh_token: string
  readonly error: string
  readonly error_description: string
  readonly token_type: string
  readonly expires_in: number
}

const post = async (sandbox: Sandbox, path: string, form: Readonly<Record<string, string>>, headers = {}) => {
  const answer = await fetch(`${sandbox.url}/sso/v2/oauth/${path}`, {
    method: "POST",
    headers: { "user-agent": contact, ...headers },
    body: new URLSearchParams({ client_id: ssoClient.id, ...form })
  })
  const text = await answer.text()
  return { status: answer.status, body: JSON.parse(text === "" ? "{}" : text) as Told }
}

const redeem = (sandbox: Sandbox, code: string, more: Readonly<Record<string, string>> = {}) =>
  post(sandbox, "token", { grant_type: "authorization_code", code, code_verifier: verifier, redirect_uri, ...more })

const refresh = (sandbox: Sandbox, refresh_token: string, more: Readonly<Record<string, string>> = {}) =>
  post(sandbox, "token", { grant_type: "refresh_token", refresh_token, ...more })

const signIn = async (sandbox: Sandbox, more: Readonly<Record<string, string>> = {}) =>
  (await redeem(sandbox, await codeFrom(sandbox, more))).body

const own = (sandbox: Sandbox, token: string, path = `/characters/${pilot}/killmails/recent`) =>
  get(sandbox, `/esi${path}`, token === "" ? {} : { authorization: `Bearer ${token}` })

describe("the sandbox's SSO", () => {
  it.live("gives a token for a code, once, to whoever has the verifier", () =>
    Effect.gen(function*() {
      const sandbox = yield* sandboxAt()
      const { body, status } = yield* promise(async () => redeem(sandbox, await codeFrom(sandbox)))
      assert.strictEqual(status, 200)
      assert.deepInclude(body, { token_type: "Bearer", expires_in: 1199 })
      const code = yield* promise(() => codeFrom(sandbox))
      const stolen = yield* promise(() => redeem(sandbox, code, { code_verifier: "x".repeat(43) }))
      assert.deepInclude(stolen.body, { error: "invalid_grant" })
      const again = yield* promise(() => redeem(sandbox, code))
      assert.strictEqual(again.status, 400)
    }))

  it.live("signs with the keys that it publishes, of both kinds, and writes the issuer in three ways", () =>
    Effect.gen(function*() {
      const sandbox = yield* sandboxAt()
      const jwks = createLocalJWKSet(
        yield* promise(async () => (await get(sandbox, "/sso/oauth/jwks")).json() as Promise<JSONWebKeySet>)
      )
      const seen = { alg: new Set<string>(), iss: new Set<string>() }
      for (let time = 0; time < 4; time++) {
        const { access_token } = yield* promise(() => signIn(sandbox))
        const { payload, protectedHeader } = yield* promise(() => jwtVerify(access_token, jwks))
        seen.alg.add(protectedHeader.alg)
        seen.iss.add(payload.iss!)
        assert.strictEqual(payload.sub, `CHARACTER:EVE:${pilot}`)
        assert.deepStrictEqual(payload.aud, [ssoClient.id, "EVE Online"])
        assert.deepStrictEqual(payload["scp"], scope.split(" "))
      }
      assert.sameMembers([...seen.alg], ["RS256", "ES256"])
      assert.strictEqual(seen.iss.size, 3)
    }))

  it.live("writes one scope as a text, none not at all, and then gives no refresh token", () =>
    Effect.gen(function*() {
      const sandbox = yield* sandboxAt()
      const one = yield* promise(() => signIn(sandbox, { scope: "publicData" }))
      assert.strictEqual(decodeJwt(one.access_token)["scp"], "publicData")
      const none = yield* promise(() => signIn(sandbox, { scope: "" }))
      assert.notProperty(decodeJwt(none.access_token), "scp")
      assert.notProperty(none, "refresh_token")
    }))

  it.live("gives another refresh token each time; the last one is good until its successor was used", () =>
    Effect.gen(function*() {
      const sandbox = yield* sandboxAt()
      const { refresh_token: first } = yield* promise(() => signIn(sandbox))
      const { body: lost } = yield* promise(() => refresh(sandbox, first))
      const { body: second } = yield* promise(() => refresh(sandbox, first))
      assert.notStrictEqual(second.refresh_token, first)
      assert.strictEqual((yield* promise(() => refresh(sandbox, lost.refresh_token))).status, 400)
      assert.strictEqual((yield* promise(() => refresh(sandbox, second.refresh_token))).status, 200)
      const superseded = yield* promise(() => refresh(sandbox, first))
      assert.strictEqual(superseded.status, 400)
      assert.deepInclude(superseded.body, {
        error: "invalid_grant",
        error_description: "Invalid refresh token. Character grant missing/expired."
      })
    }))

  it.live("ends a grant that is revoked, sold with its character, or asked for with other scopes", () =>
    Effect.gen(function*() {
      const sandbox = yield* sandboxAt()
      const endings: ReadonlyArray<(token: string) => Promise<unknown>> = [
        (token) => post(sandbox, "revoke", { token_type_hint: "refresh_token", token }),
        async () => sandbox.sso.transfer(pilot),
        async () => sandbox.sso.revokeAll(pilot),
        () => signIn(sandbox, { scope: "publicData" })
      ]
      for (const end of endings) {
        const { refresh_token } = yield* promise(() => signIn(sandbox))
        yield* promise(() => end(refresh_token))
        assert.strictEqual((yield* promise(() => refresh(sandbox, refresh_token))).body.error, "invalid_grant")
      }
      assert.strictEqual((yield* promise(() => post(sandbox, "revoke", { token: "unknown" }))).status, 200)
    }))

  it.live("refuses what does not fit, each in its own way", () =>
    Effect.gen(function*() {
      const sandbox = yield* sandboxAt()
      for (
        const wrong of [
          { client_id: "0" },
          { redirect_uri: "nowhere" },
          { state: undefined },
          { response_type: "token" },
          { code_challenge_method: "plain" },
          { scope: "esi-everything" }
        ]
      ) assert.strictEqual((yield* promise(() => authorize(sandbox, wrong))).status, 400, JSON.stringify(wrong))
      const denied = yield* promise(() => authorize(sandbox, { character: "none" }))
      assert.include(denied.headers.get("location"), "error=access_denied")
      const asked = yield* promise(async () => (await authorize(sandbox, { character: undefined })).text())
      assert.match(asked, /<a href="\?[^"]*&amp;character=\d+">/)

      const stranger = yield* promise(() => redeem(sandbox, "x", { client_secret: "wrong" }))
      assert.deepStrictEqual([stranger.status, stranger.body.error], [401, "invalid_client"])
      const { refresh_token } = yield* promise(() => signIn(sandbox))
      const more = yield* promise(() => refresh(sandbox, refresh_token, { scope: "esi-mail.read_mail.v1" }))
      assert.strictEqual(more.body.error, "invalid_scope")
      const json = yield* promise(() =>
        fetch(`${sandbox.url}/sso/v2/oauth/token`, {
          method: "POST",
          headers: { "user-agent": contact, "content-type": "application/json" },
          body: "{}"
        })
      )
      assert.strictEqual((yield* promise(() => json.json() as Promise<Told>)).error, "invalid_request")
    }))
})

describe("ESI's killmails of a pilot", () => {
  it.live("are told to the pilot's token, newest first, with pages, an ETag and a bucket of 30 tokens", () =>
    Effect.gen(function*() {
      const sandbox = yield* sandboxAt()
      const mails = Array.from({ length: 1001 }, (_, k) => {
        const { killmail } = killmailOf("tests", k)
        return { ...killmail, victim: { ...killmail.victim, character_id: pilot } }
      })
      for (const mail of mails) sandbox.knowToEsi(mail)
      const { access_token } = yield* promise(() => signIn(sandbox))
      const first = yield* promise(() => own(sandbox, access_token))
      assert.strictEqual(first.status, 200)
      assert.strictEqual(first.headers.get("x-pages"), "2")
      assert.strictEqual(first.headers.get("x-ratelimit-limit"), "30/15m")
      const ids = (yield* promise(() => first.json() as Promise<Array<{ killmail_id: number }>>)).map((each) =>
        each.killmail_id
      )
      assert.strictEqual(ids.length, 1000)
      assert.deepStrictEqual(ids, ids.toSorted((a, b) => b - a))
      const path = `/characters/${pilot}/killmails/recent`
      assert.strictEqual((yield* promise(() => own(sandbox, access_token, `${path}?page=3`))).status, 404)
      const second = yield* promise(() => own(sandbox, access_token, `${path}?page=2`))
      assert.strictEqual((yield* promise(() => second.json() as Promise<ReadonlyArray<unknown>>)).length, 1)
      assert.deepStrictEqual(sandbox.violations(), [])
      const known = yield* promise(() =>
        get(sandbox, `/esi${path}`, {
          authorization: `Bearer ${access_token}`,
          "if-none-match": first.headers.get("etag")!
        })
      )
      assert.strictEqual(known.status, 304)
      assert.deepStrictEqual(sandbox.violations().map(({ rule }) => rule), ["cache"])
    }))

  it.live("are told to nobody else", () =>
    Effect.gen(function*() {
      const sandbox = yield* sandboxAt(1000)
      const { access_token } = yield* promise(() => signIn(sandbox))
      assert.strictEqual((yield* promise(() => own(sandbox, ""))).status, 401)
      assert.strictEqual((yield* promise(() => own(sandbox, "forged"))).status, 401)
      const status = (path: string) => promise(async () => (await own(sandbox, access_token, path)).status)
      assert.strictEqual(yield* status(`/characters/${pilot + 1}/killmails/recent`), 403)
      // Tokens live 1.2 s here.
      yield* Effect.repeat(status(`/characters/${pilot}/killmails/recent`), { until: (answered) => answered === 401 })
    }))

  it.live("are there from the start for whom the page of the clock's world names first", () =>
    Effect.gen(function*() {
      const sandbox = yield* start({ port: 0, speed: 1, seed: "tests", faults: 0, world: "clock" })
      const page = yield* promise(async () => (await authorize(sandbox, { character: undefined })).text())
      const [, busiest = ""] = /character=(\d+)/.exec(page) ?? []
      const { access_token } = yield* promise(() => signIn(sandbox, { character: busiest }))
      const list = yield* promise(() => own(sandbox, access_token, `/characters/${busiest}/killmails/recent`))
      assert.isNotEmpty(yield* promise(() => list.json() as Promise<ReadonlyArray<unknown>>))
    }))

  it.live("are told of a corporation to its directors alone", () =>
    Effect.gen(function*() {
      const sandbox = yield* sandboxAt()
      const wanted = { scope: "esi-killmails.read_corporation_killmails.v1" }
      const { access_token } = yield* promise(() => signIn(sandbox, wanted))
      const { corporation_id } = sandbox.census.affiliationOf(pilot)
      const status = (id: number) =>
        promise(async () => (await own(sandbox, access_token, `/corporations/${id}/killmails/recent`)).status)
      sandbox.census.appoint(pilot, false)
      assert.strictEqual(yield* status(corporation_id), 403)
      sandbox.census.appoint(pilot, true)
      assert.strictEqual(yield* status(corporation_id), 200)
      assert.strictEqual(yield* status(corporation_id + 1), 403)
      assert.strictEqual(yield* promise(async () => (await own(sandbox, access_token)).status), 403)
    }))
})
