/** The addresses and secrets of all webhooks under the first of the keys, while daemons go on sending. */
import { Effect } from "effect"
import { EncryptionKeys } from "../accounts/EncryptionKeys.ts"
import { type KeptWebhook, Webhooks } from "../store/Webhooks.ts"
import { openWebhook, sealWebhook } from "./WebhookCipher.ts"

const batch = 100

/** How many it was, and which no key that is there can decrypt: these are left as they are. */
export const rotateWebhooks = Effect.gen(function*() {
  const webhooks = yield* Webhooks
  const all = yield* EncryptionKeys.use(({ all }) => all)
  const [first] = all
  const unreadable: Array<string> = []
  let encrypted = 0
  for (let after: string | null = null;;) {
    const rows: ReadonlyArray<KeptWebhook> = yield* webhooks.encryptedOtherwise(first.id, after, batch)
    if (rows.length === 0) return { encrypted, unreadable }
    for (const row of rows) {
      after = row.id
      const opened = yield* Effect.option(Effect.try(() => openWebhook(all, row.id, row)))
      if (opened._tag === "None") unreadable.push(row.id)
      else if (yield* webhooks.reseal(row, sealWebhook(first, row.id, opened.value))) encrypted += 1
    }
  }
})
