/** Whether the keys are there under which pilots' tokens were stored: without them every pilot has to sign in again. */
import { Effect } from "effect"
import { EncryptionKeys } from "../accounts/EncryptionKeys.ts"
import { UserTokens } from "../store/UserTokens.ts"
import { fault, well } from "./Finding.ts"

export const examineTokens = Effect.gen(function*() {
  const inUse = yield* UserTokens.use(({ keysInUse }) => keysInUse)
  const ids = new Set((yield* EncryptionKeys.use(({ present }) => present)).map(({ id }) => id))
  const lost = inUse.filter(({ key_id }) => !ids.has(key_id))
  const count = (keys: typeof inUse) => keys.reduce((sum, { tokens }) => sum + tokens, 0)
  return lost.length === 0
    ? well("tokens", `all ${count(inUse)} of pilots' characters can be decrypted`)
    : fault(
      "tokens",
      `${count(lost)} of ${count(inUse)} cannot be decrypted: there is no key ${
        lost.map(({ key_id }) => key_id).join(", ")
      }`,
      "restore the file encryption-keys of the data directory, or set KILLMAILD_ENCRYPTION_KEYS as it was"
    )
})
