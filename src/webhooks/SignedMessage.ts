/**
 * A killmail as JSON, as `/api/v1/killmails/{id}` has it, signed as Standard Webhooks says
 * (https://github.com/standard-webhooks/standard-webhooks): HMAC-SHA256 over id, time and body. Pure.
 */
import { Redacted } from "effect"
import { createHmac } from "node:crypto"

/** The id stays the same when a killmail is told again: whoever keeps it hears each once. `now` is in milliseconds. */
export const signedHeaders = (id: string, now: number, body: string, secret: Redacted.Redacted) => {
  const seconds = Math.floor(now / 1000)
  const key = Buffer.from(Redacted.value(secret).replace("whsec_", ""), "base64")
  const signature = createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64")
  return { "webhook-id": id, "webhook-timestamp": String(seconds), "webhook-signature": `v1,${signature}` }
}
