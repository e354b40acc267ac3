/** All tokens under a new key, while daemons go on reading and renewing them. */
import { Effect } from "effect"
import { UserTokens } from "../store/UserTokens.ts"
import { EncryptionKeys } from "./EncryptionKeys.ts"
import { open, seal } from "./TokenCipher.ts"

const batch = 100
/** A daemon that still knew the older key may store with it in between. */
const mostPasses = 5

export interface Rotation {
  /** Under which all tokens are now. */
  readonly keyId: string
  /** Whether it was made for this, or set by the operator before. */
  readonly isNew: boolean
  readonly encrypted: number
  /** Characters whose tokens no key that is there can decrypt: left as they are. */
  readonly unreadable: ReadonlyArray<number>
}

/** `report` hears how many are done, and of how many. */
export const rotateKeys = Effect.fnUntraced(function*<R>(
  report: (done: number, total: number) => Effect.Effect<void, never, R>
) {
  const keys = yield* EncryptionKeys
  const tokens = yield* UserTokens
  const isNew = yield* keys.addFirst
  const all = yield* keys.all
  const [first] = all
  const inUse = yield* tokens.keysInUse
  const total = inUse.reduce((sum, { key_id, tokens }) => key_id === first.id ? sum : sum + tokens, 0)
  const unreadable = new Set<number>()
  let encrypted = 0

  const pass = Effect.gen(function*() {
    let found = 0
    for (let after = 0;;) {
      const rows = yield* tokens.encryptedOtherwise(first.id, after, batch)
      if (rows.length === 0) return found
      for (const row of rows) {
        after = row.character_id
        const opened = yield* Effect.option(Effect.try(() => open(all, row.character_id, row)))
        if (opened._tag === "None") {
          unreadable.add(row.character_id)
          continue
        }
        found += 1
        if (yield* tokens.reseal(row.character_id, row, seal(first, row.character_id, opened.value))) encrypted += 1
      }
      yield* report(encrypted, Math.max(encrypted, total))
    }
  })

  for (let passes = 0; passes < mostPasses && (yield* pass) > 0; passes++);
  return { keyId: first.id, isNew, encrypted, unreadable: [...unreadable] } satisfies Rotation as Rotation
})
