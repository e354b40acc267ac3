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

/** One text, for one place: a table, a row of it and a column. */
export const sealText = ({ id, key }: EncryptionKey, place: string, text: Redacted.Redacted): Uint8Array => {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(boundTo(place, id))
  return Buffer.concat([nonce, cipher.update(Redacted.value(text), "utf8"), cipher.final(), cipher.getAuthTag()])
}

/** Throws what Node throws when these bytes are not what was stored there under this key. */
export const openText = ({ id, key }: EncryptionKey, place: string, sealed: Uint8Array): Redacted.Redacted => {
  const bytes = Buffer.from(sealed)
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
    .setAAD(boundTo(place, id))
    .setAuthTag(bytes.subarray(-tagBytes))
  const text = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()])
  return Redacted.make(text.toString("utf8"))
}

export const seal = (key: EncryptionKey, characterId: number, { access, refresh }: Tokens): SealedTokens => ({
  key_id: key.id,
  access_token: sealText(key, placeOf(characterId, "access_token"), access),
  refresh_token: sealText(key, placeOf(characterId, "refresh_token"), refresh)
})

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
    try {
      return openText(found, placeOf(characterId, column), sealed[column])
    } catch {
      throw new TokenUnreadable({
        message: `The tokens of character ${characterId} are not what was stored under key ${found.id}.`
      })
    }
  }
  return { access: decrypt("access_token"), refresh: decrypt("refresh_token") }
}

const placeOf = (characterId: number, column: Column): string => `user_tokens|${characterId}|${column}`

const boundTo = (place: string, keyId: string): Buffer => Buffer.from(`${place}|${keyId}`)
