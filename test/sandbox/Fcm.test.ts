import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { importPKCS8, SignJWT } from "jose"
import { type Sandbox, start } from "../../src/sandbox/Sandbox.ts"
import { contact, rulesOf } from "./Visitor.ts"

interface Account {
  readonly project_id: string
  readonly client_email: string
  readonly private_key: string
  readonly token_uri: string
}

const promise = <A>(run: () => Promise<A>) => Effect.promise(run)

const withSandbox = <A>(test: (sandbox: Sandbox, account: Account) => Promise<A>) =>
  Effect.scoped(Effect.gen(function*() {
    const sandbox = yield* start({ port: 0, speed: 1, seed: "tests", faults: 0, world: "manual" })
    return yield* promise(() => test(sandbox, JSON.parse(sandbox.fcm.account()) as Account))
  }))

const grant = async ({ client_email, private_key, token_uri }: Account, audience = token_uri) => {
  const assertion = await new SignJWT({ scope: "https://www.googleapis.com/auth/firebase.messaging" })
    .setProtectedHeader({ alg: "RS256" }).setIssuer(client_email).setAudience(audience).setIssuedAt()
    .setExpirationTime("1h").sign(await importPKCS8(private_key, "RS256"))
  const answer = await fetch(token_uri, {
    method: "POST",
    headers: { "user-agent": contact },
    body: new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion })
  })
  return { status: answer.status, body: await answer.json() as { readonly access_token: string } }
}

const send = async ({ url }: Sandbox, token: string, message: unknown) => {
  const answer = await fetch(`${url}/fcm/v1/projects/new-eden/messages:send`, {
    method: "POST",
    headers: { "user-agent": contact, authorization: `Bearer ${token}` },
    body: JSON.stringify({ message })
  })
  return { status: answer.status, text: await answer.text() }
}

const message = (token: string) => ({ token, notification: { title: "any", body: "any" }, data: { kind: "any" } })

describe("FCM", () => {
  it.live("takes messages from whoever exchanged a claim that its account signed, for this audience", () =>
    withSandbox(async (sandbox, account) => {
      const { body, status } = await grant(account)
      assert.strictEqual(status, 200)
      assert.strictEqual((await send(sandbox, body.access_token, message("device-1"))).status, 200)
      assert.strictEqual((await send(sandbox, "another", message("device-1"))).status, 401)
      assert.strictEqual(sandbox.fcm.messages().length, 1)
      assert.deepStrictEqual(sandbox.violations(), [])
      assert.strictEqual((await grant(account, "https://oauth2.googleapis.com/token")).status, 400)
      assert.deepStrictEqual(rulesOf(sandbox), ["protocol"])
    }))

  it.live("tells once that a device is gone, and that a token is none; data are texts", () =>
    withSandbox(async (sandbox, account) => {
      const { body: { access_token } } = await grant(account)
      const invalid = await send(sandbox, access_token, message("nonsense"))
      assert.strictEqual(invalid.status, 400)
      assert.include(invalid.text, "not a valid FCM registration token")
      sandbox.fcm.unregister("device-1")
      const gone = await send(sandbox, access_token, message("device-1"))
      assert.strictEqual(gone.status, 404)
      assert.include(gone.text, "UNREGISTERED")
      assert.deepStrictEqual(rulesOf(sandbox), [])
      await send(sandbox, access_token, message("device-1"))
      assert.strictEqual((await send(sandbox, access_token, { ...message("device-2"), data: { id: 1 } })).status, 400)
      assert.deepStrictEqual(rulesOf(sandbox), ["protocol", "protocol"])
    }))
})
