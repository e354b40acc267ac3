/** How a webhook's URL and the key that signs for it lie in the database: as pilots' tokens do, each bound to its row. */
import { Redacted, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { openText, sealText } from "../accounts/TokenCipher.ts"
import type { EncryptionKey } from "../Settings.ts"
import type { SealedWebhook } from "../store/Webhooks.ts"

/** These bytes are not of this webhook under any key that there is. */
export class WebhookUnreadable extends Schema.TaggedError<WebhookUnreadable>()("WebhookUnreadable", {
  message: Schema.String
}) {}

export interface WebhookSecrets {
  readonly url: Redacted.Redacted
  /** Signs what is sent, as `whsec_` and base64. Discord and Slack know us by the URL alone. */
  readonly secret: Redacted.Redacted | null
}

/** 32 random bytes in the form of Standard Webhooks. */
export const makeSecret = (): Redacted.Redacted => Redacted.make(`whsec_${randomBytes(32).toString("base64")}`)

const placeOf = (id: string, column: "url" | "secret"): string => `webhooks|${id}|${column}`

export const sealWebhook = (key: EncryptionKey, id: string, { secret, url }: WebhookSecrets): SealedWebhook => ({
  key_id: key.id,
  url: sealText(key, placeOf(id, "url"), url),
  secret: secret === null ? null : sealText(key, placeOf(id, "secret"), secret)
})

/** Throws `WebhookUnreadable`. */
export const openWebhook = (
  keys: ReadonlyArray<EncryptionKey>,
  id: string,
  { key_id, secret, url }: SealedWebhook
): WebhookSecrets => {
  const key = keys.find((key) => key.id === key_id)
  if (key === undefined) {
    throw new WebhookUnreadable({
      message:
        `KILLMAILD_ENCRYPTION_KEYS: there is no key ${key_id}, wants the one under which webhook ${id} was stored.`
    })
  }
  try {
    return {
      url: openText(key, placeOf(id, "url"), url),
      secret: secret === null ? null : openText(key, placeOf(id, "secret"), secret)
    }
  } catch {
    throw new WebhookUnreadable({ message: `The URL of webhook ${id} is not what was stored under key ${key.id}.` })
  }
}
