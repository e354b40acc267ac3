import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { randomUUID } from "node:crypto"
import { EncryptionKeys } from "../../src/accounts/EncryptionKeys.ts"
import { Settings } from "../../src/Settings.ts"
import * as Database from "../../src/store/Database.ts"
import { Webhooks } from "../../src/store/Webhooks.ts"
import { rotateWebhooks } from "../../src/webhooks/RotateWebhooks.ts"
import { makeSecret, openWebhook, sealWebhook } from "../../src/webhooks/WebhookCipher.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"

const keyOf = (byte: number) => Buffer.alloc(32, byte)
const [older, newer] = [{ id: "old", key: keyOf(1) }, { id: "new", key: keyOf(2) }]
const both = `new:${keyOf(2).toString("base64")},old:${keyOf(1).toString("base64")}`
const secrets = { url: Redacted.make("https://discord.com/api/webhooks/1/token"), secret: makeSecret() }
const revealed = ({ secret, url }: typeof secrets | ReturnType<typeof openWebhook>) => [
  Redacted.value(url),
  secret && Redacted.value(secret)
]

describe("where a webhook leads, and its secret", () => {
  it("are what they were, of its row and column alone, under its key alone", () => {
    const [one, other] = [randomUUID(), randomUUID()]
    const sealed = sealWebhook(older, one, secrets)
    assert.deepStrictEqual(revealed(openWebhook([newer, older], one, sealed)), revealed(secrets))
    assert.notInclude(Buffer.from(sealed.url).toString("latin1"), "discord")
    const wrongs = [
      () => openWebhook([older], other, sealed),
      () => openWebhook([older], one, { ...sealed, url: sealed.secret!, secret: null }),
      () => openWebhook([{ ...newer, id: "old" }], one, sealed)
    ]
    for (const wrong of wrongs) assert.throws(wrong, /is not what was stored under key old/)
    assert.throws(() => openWebhook([newer], one, sealed), /^KILLMAILD_ENCRYPTION_KEYS: there is no key old/)
  })

  it.live("go under the first key in a rotation, but for those that no key opens", () =>
    Effect.gen(function*() {
      const { url } = yield* migratedDatabase
      const services = Layer.mergeAll(Webhooks.layer, EncryptionKeys.layer).pipe(
        Layer.provideMerge(Database.layer(Redacted.make(url))),
        Layer.provide(Settings.layerFrom({ KILLMAILD_ENCRYPTION_KEYS: both }))
      )
      yield* Effect.gen(function*() {
        const { create, sealed } = yield* Webhooks
        const ids = [randomUUID(), randomUUID(), randomUUID()] as const
        const [mine, , lost] = ids
        for (const id of ids) {
          const rest = { id, name: "x", format: "json", origin: "https://x", filter: {}, is_enabled: true } as const
          const key = id === lost ? { ...older, key: keyOf(3) } : older
          yield* create(null, { ...rest, ...sealWebhook(key, id, secrets) }, 100)
        }
        assert.deepStrictEqual(yield* rotateWebhooks, { encrypted: 2, unreadable: [lost] })
        const kept = Option.getOrThrow(yield* sealed(mine))
        assert.deepStrictEqual(revealed(openWebhook([newer], mine, kept)), revealed(secrets))
        assert.deepStrictEqual(yield* rotateWebhooks, { encrypted: 0, unreadable: [lost] })
      }).pipe(Effect.provide(services))
    }))
})
