/** `killmaild keys rotate`: pilots' tokens, and where webhooks lead, under a new key. */
import { Effect, Layer, Option } from "effect"
import { Command } from "effect/cli"
import { EncryptionKeys } from "../accounts/EncryptionKeys.ts"
import { rotateKeys, type Rotation } from "../accounts/RotateKeys.ts"
import { Settings } from "../Settings.ts"
import { Leases } from "../store/Leases.ts"
import { rotateWebhooks } from "../webhooks/RotateWebhooks.ts"
import { stores } from "./OnDatabase.ts"
import { json, print } from "./Output.ts"
import { makeProgress } from "./Progress.ts"
import { refuse } from "./Refusal.ts"

const rotate = Command.make("rotate", { json }, (input) =>
  Effect.scoped(Effect.gen(function*() {
    const report = yield* makeProgress(input.json)
    // Two at once would each write a file without the other's new key.
    yield* Leases.use(({ acquire }) => acquire("encryption keys")).pipe(
      Effect.catchTag("LeaseHeld", () => refuse("keys rotate: another one is running, wants it to end first."))
    )
    const done = yield* rotateKeys((done, total) => report({ what: "keys rotate", done, total, unit: "tokens" }))
    const webhooks = yield* rotateWebhooks
    const { encryptionKeys } = yield* Settings
    yield* print(input.json, { ...done, webhooks }, sentences(done, webhooks.encrypted, Option.isSome(encryptionKeys)))
    if (done.unreadable.length > 0) {
      return yield* refuse(
        `keys rotate: no key decrypts the tokens of ${done.unreadable.length} characters, wants the key under which they ` +
          `were stored: ${done.unreadable.slice(0, 10).join(", ")}.`
      )
    }
    if (webhooks.unreadable.length > 0) {
      return yield* refuse(
        `keys rotate: no key decrypts the addresses of ${webhooks.unreadable.length} webhooks, wants the key under which ` +
          `they were stored: ${webhooks.unreadable.slice(0, 10).join(", ")}.`
      )
    }
  })).pipe(Effect.provide(Layer.provideMerge(EncryptionKeys.layer, stores)))).pipe(
    Command.withDescription("Encrypt all pilots' tokens and webhooks' addresses under a new key, while daemons run")
  )

const sentences = ({ encrypted, keyId }: Rotation, webhooks: number, isSet: boolean): string =>
  `${encrypted} tokens and the addresses of ${webhooks} webhooks are encrypted anew: all are under key ${keyId}. ` +
  (isSet
    ? "The other keys of KILLMAILD_ENCRYPTION_KEYS are of no use but for older backups."
    : "The older keys stay in the file behind it, for older backups.")

export const keys = Command.make("keys").pipe(
  Command.withDescription("The keys that pilots' tokens are encrypted with"),
  Command.withSubcommands([rotate])
)
