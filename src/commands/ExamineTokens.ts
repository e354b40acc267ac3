/**
 * Whether the keys are there under which pilots' tokens and webhooks' addresses were stored: without them every pilot has to sign
 * in again, and nobody is told of killmails.
 */
import { Effect } from "effect"
import { EncryptionKeys } from "../accounts/EncryptionKeys.ts"
import { UserTokens } from "../store/UserTokens.ts"
import { Webhooks } from "../store/Webhooks.ts"
import { fault, well } from "./Finding.ts"

export const examineTokens = Effect.gen(function*() {
  const inUse = [
    ...(yield* UserTokens.use(({ keysInUse }) => keysInUse)),
    ...(yield* Webhooks.use(({ keysInUse }) => keysInUse)).map(({ key_id, webhooks }) => ({ key_id, tokens: webhooks }))
  ]
  const ids = new Set((yield* EncryptionKeys.use(({ present }) => present)).map(({ id }) => id))
  const lost = inUse.filter(({ key_id }) => !ids.has(key_id))
  const count = (keys: typeof inUse) => keys.reduce((sum, { tokens }) => sum + tokens, 0)
  return lost.length === 0
    ? well("tokens", `all ${count(inUse)} of pilots' characters and webhooks can be decrypted`)
    : fault(
      "tokens",
      `${count(lost)} of ${count(inUse)} cannot be decrypted: there is no key ${
        lost.map(({ key_id }) => key_id).join(", ")
      }`,
      "restore the file encryption-keys of the data directory, or set KILLMAILD_ENCRYPTION_KEYS as it was"
    )
})
