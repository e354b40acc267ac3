/** What signs pilots in, on a database of a test's own, against the sandbox's SSO. */
import { Effect, Layer, Option, Redacted } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { AccessTokens } from "../../src/accounts/AccessTokens.ts"
import { EncryptionKeys } from "../../src/accounts/EncryptionKeys.ts"
import { SessionTokens } from "../../src/accounts/SessionTokens.ts"
import { SignIn } from "../../src/accounts/SignIn.ts"
import { Sso } from "../../src/accounts/Sso.ts"
import { JobQueue } from "../../src/jobs/JobQueue.ts"
import { pilotOf } from "../../src/sandbox/People.ts"
import { Settings } from "../../src/Settings.ts"
import * as Database from "../../src/store/Database.ts"
import { Leases } from "../../src/store/Leases.ts"
import { Sessions } from "../../src/store/Sessions.ts"
import { Users } from "../../src/store/Users.ts"
import { UserTokens } from "../../src/store/UserTokens.ts"
import { manualSandbox, migratedDatabase, settingsFor } from "../support/TestDaemon.ts"

export const redirectUri = "http://127.0.0.1:8080/api/v1/auth/callback"

/** Some of the sandbox's pilots. */
export const [alice, bob] = [pilotOf("test", 0).character, pilotOf("test", 1).character] as const

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-accounts-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const services = Layer.mergeAll(SignIn.layer, SessionTokens.layer).pipe(
  Layer.provideMerge(AccessTokens.layer),
  Layer.provideMerge([Sso.layer, EncryptionKeys.layer]),
  Layer.provideMerge([Users.layer, UserTokens.layer, Sessions.layer, JobQueue.layer, Leases.layer])
)

/** One replica; `another` is a second one on the same database and with the same keys. */
export const world = Effect.fnUntraced(function*(overrides: Readonly<Record<string, string>> = {}, speed = 1) {
  const sandbox = yield* manualSandbox({ speed })
  const { url } = yield* migratedDatabase
  const dataDir = yield* temporaryDirectory
  const replica = (more: Readonly<Record<string, string>> = {}) =>
    Layer.build(
      Layer.fresh(services).pipe(
        Layer.provideMerge(Database.layer(Redacted.make(url))),
        Layer.provideMerge(Settings.layerFrom(settingsFor(sandbox, url, dataDir, { ...overrides, ...more })))
      )
    )
  return { sandbox, url, dataDir, context: yield* replica(), another: replica }
})

/** The pilot says yes on the SSO's page; what the browser then comes back with. */
export const consent = (url: URL, characterId: number) =>
  Effect.promise(async () => {
    const chosen = new URL(url)
    chosen.searchParams.set("character", String(characterId))
    const { headers } = await fetch(chosen, { redirect: "manual", headers: { "user-agent": "a browser" } })
    return new URL(headers.get("location")!).searchParams
  })

/** As a browser does it; returns the user. */
export const signIn = Effect.fnUntraced(function*(characterId: number, userId: string | null = null) {
  const { begin, finish } = yield* SignIn
  const { browserSecret, url } = yield* begin({ userId, returnTo: "/", redirectUri, app: Option.none() })
  const query = yield* consent(url, characterId)
  return yield* finish({ query, redirectUri, browserSecret })
})
