/**
 * How tokens lie in the database: AES-256-GCM with a nonce of 96 random bits, bound to the row and column that they stand in
 * and to the key's id, so that none can be read in another's place.
 */
import { Redacted, Schema } from "effect"
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import type { EncryptionKey } from "../Settings.ts"
import type { SealedTokens } from "../store/UserTokens.ts"

/** These bytes are no token of this row under any key that there is. */
export class TokenUnreadable extends Schema.TaggedError<TokenUnreadable>()("TokenUnreadable", {
  message: Schema.String
}) {}

export interface Tokens {
  readonly access: Redacted.Redacted
  readonly refresh: Redacted.Redacted
}

type Column = "access_token" | "refresh_token"

const nonceBytes = 12
const tagBytes = 16

export const seal = ({ id, key }: EncryptionKey, characterId: number, { access, refresh }: Tokens): SealedTokens => {
  const encrypt = (column: Column, token: Redacted.Redacted): Uint8Array => {
    const nonce = randomBytes(nonceBytes)
    const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(placeOf(characterId, column, id))
    return Buffer.concat([nonce, cipher.update(Redacted.value(token), "utf8"), cipher.final(), cipher.getAuthTag()])
  }
  return {
    key_id: id,
    access_token: encrypt("access_token", access),
    refresh_token: encrypt("refresh_token", refresh)
  }
}

/** Throws `TokenUnreadable`. */
export const open = (keys: ReadonlyArray<EncryptionKey>, characterId: number, sealed: SealedTokens): Tokens => {
  const found = keys.find(({ id }) => id === sealed.key_id)
  if (found === undefined) {
    throw new TokenUnreadable({
      message: `KILLMAILD_ENCRYPTION_KEYS: there is no key ${sealed.key_id}, wants the one under which the tokens of ` +
        `character ${characterId} were stored.`
    })
  }
  const decrypt = (column: Column): Redacted.Redacted => {
    const bytes = Buffer.from(sealed[column])
    try {
      const decipher = createDecipheriv("aes-256-gcm", found.key, bytes.subarray(0, nonceBytes), {
        authTagLength: tagBytes
      })
        .setAAD(placeOf(characterId, column, found.id))
        .setAuthTag(bytes.subarray(-tagBytes))
      const text = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()])
      return Redacted.make(text.toString("utf8"))
    } catch {
      throw new TokenUnreadable({
        message: `The tokens of character ${characterId} are not what was stored under key ${found.id}.`
      })
    }
  }
  return { access: decrypt("access_token"), refresh: decrypt("refresh_token") }
}

const placeOf = (characterId: number, column: Column, keyId: string): Buffer =>
  Buffer.from(`user_tokens|${characterId}|${column}|${keyId}`)
