/** The operator's bearer token: as set, or generated once into the data directory. */
import { Context, Effect, Layer, Option, Redacted, Schema } from "effect"
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import { readOrGenerate } from "../SecretFile.ts"
import { Settings } from "../Settings.ts"

/** The data directory can hold no token. Stops the start. */
export class AdminTokenUnavailable extends Schema.TaggedError<AdminTokenUnavailable>()("AdminTokenUnavailable", {
  message: Schema.String
}) {}

export class AdminToken extends Context.Service<AdminToken, {
  readonly matches: (candidate: string) => boolean
}>()("killmaild/api/AdminToken") {
  static readonly layer = Layer.effect(
    AdminToken,
    Effect.gen(function*() {
      const settings = yield* Settings
      const token = Option.isSome(settings.adminToken)
        ? Redacted.value(settings.adminToken.value)
        : yield* tokenIn(settings.dataDir)
      const digest = digestOf(token)
      return AdminToken.of({ matches: (candidate) => candidate !== "" && timingSafeEqual(digestOf(candidate), digest) })
    })
  )
}

/** The token of `Authorization: Bearer …`; empty without one. */
export const bearerIn = (authorization: string | undefined): string =>
  /^Bearer (.+)$/i.exec(authorization ?? "")?.[1] ?? ""

/** Digests have one length, so that the comparison tells nothing of the token's. */
const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest()

const tokenIn = (dataDir: string) =>
  Effect.try({
    try: () => readOrGenerate(dataDir, "admin-token", () => randomBytes(32).toString("base64url")),
    catch: (error) =>
      new AdminTokenUnavailable({
        message: `KILLMAILD_DATA_DIR: ${dataDir} cannot hold the admin token (${(error as Error).message}); ` +
          "wants a writable directory, or KILLMAILD_ADMIN_TOKEN set."
      })
  })
