/** The operator's bearer token: as set, or generated once into the data directory. */
import { Context, Effect, Layer, Option, Redacted, Schema } from "effect"
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
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
        : yield* readOrGenerate(settings.dataDir)
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

const readOrGenerate = (dataDir: string) =>
  Effect.try({
    try: () => {
      const path = join(dataDir, "admin-token")
      mkdirSync(dataDir, { recursive: true })
      // Linked whole under its name: nobody reads half a token, and of two daemons that start at once one is first.
      const whole = `${path}.${randomBytes(6).toString("hex")}`
      writeFileSync(whole, randomBytes(32).toString("base64url") + "\n", { flag: "wx", mode: 0o600 })
      try {
        linkSync(whole, path)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
        chmodSync(path, 0o600)
      } finally {
        rmSync(whole)
      }
      const token = readFileSync(path, "utf8").trim()
      if (token === "") throw new Error(`${path} is empty; remove it`)
      return token
    },
    catch: (error) =>
      new AdminTokenUnavailable({
        message: `KILLMAILD_DATA_DIR: ${dataDir} cannot hold the admin token (${(error as Error).message}); ` +
          "wants a writable directory, or KILLMAILD_ADMIN_TOKEN set."
      })
  })
