/**
 * The keys under which pilots' tokens lie in the database: as set, or generated into the data directory. The first one
 * encrypts, all decrypt. The file is read each time, so that daemons that run follow `keys rotate`.
 */
import { Context, Effect, Layer, Option, Redacted, Schema } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { readOrGenerate, replaceSecret } from "../SecretFile.ts"
import { type EncryptionKey, keysIn, Settings } from "../Settings.ts"

/** The data directory holds no keys that can be used, and can be given none. */
export class EncryptionKeysUnavailable
  extends Schema.TaggedError<EncryptionKeysUnavailable>()("EncryptionKeysUnavailable", { message: Schema.String })
{}

const fileName = "encryption-keys"

export class EncryptionKeys extends Context.Service<EncryptionKeys, {
  readonly all: Effect.Effect<
    readonly [first: EncryptionKey, ...older: ReadonlyArray<EncryptionKey>],
    EncryptionKeysUnavailable
  >
  /** Those that there are; none is made. */
  readonly present: Effect.Effect<ReadonlyArray<EncryptionKey>, EncryptionKeysUnavailable>
  /** Puts a new key before the others; false where the keys are set and only the operator can. */
  readonly addFirst: Effect.Effect<boolean, EncryptionKeysUnavailable>
}>()("killmaild/accounts/EncryptionKeys") {
  static readonly layer = Layer.effect(
    EncryptionKeys,
    Effect.gen(function*() {
      const { dataDir, encryptionKeys } = yield* Settings

      const inFile = <A>(use: () => A) =>
        Effect.try({
          try: use,
          catch: (error) =>
            new EncryptionKeysUnavailable({
              message:
                `KILLMAILD_DATA_DIR: ${dataDir} cannot hold the encryption keys (${(error as Error).message}); ` +
                "wants a writable directory, or KILLMAILD_ENCRYPTION_KEYS set."
            })
        })

      const fileText = () => readOrGenerate(dataDir, fileName, generate)

      const read = (): readonly [EncryptionKey, ...ReadonlyArray<EncryptionKey>] => {
        const keys = keysIn(Option.match(encryptionKeys, { onSome: Redacted.value, onNone: fileText }))
        const [first, ...older] = keys ?? []
        if (first === undefined) throw new Error(`${fileName} is no list of keys; restore it from a backup`)
        return [first, ...older]
      }

      const present = inFile(() => Option.isSome(encryptionKeys) || existsSync(join(dataDir, fileName)) ? read() : [])

      const addFirst = Option.isSome(encryptionKeys)
        ? Effect.succeed(false)
        : inFile(() => {
          replaceSecret(dataDir, fileName, `${generate()},${fileText()}`)
          return true
        })

      return EncryptionKeys.of({ all: inFile(read), present, addFirst })
    })
  )
}

/** `id:base64`; the id is the beginning of the key's own hash. */
const generate = (): string => {
  const key = randomBytes(32)
  return `${createHash("sha256").update(key).digest("hex").slice(0, 8)}:${key.toString("base64")}`
}
