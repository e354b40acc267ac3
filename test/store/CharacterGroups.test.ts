import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { CharacterGroups } from "../../src/store/CharacterGroups.ts"
import { EntityReader } from "../../src/store/EntityReader.ts"
import { withStores } from "../support/Stores.ts"

const withGroups = <A, E>(
  test: (groups: CharacterGroups["Service"], reader: EntityReader["Service"]) => Effect.Effect<A, E>
) => withStores(() => Effect.flatMap(Effect.all([CharacterGroups, EntityReader]), (both) => test(...both)))

describe("a group of characters", () => {
  it.live("is a main and its alts, whoever of them is asked for", () =>
    withGroups((groups, reader) =>
      Effect.gen(function*() {
        assert.isTrue(Option.isNone(yield* groups.set({ main_character_id: 2_122_585_718, alts: [3, 2] })))
        const group = Option.some({ main_character_id: 2_122_585_718, alts: [2, 3] })
        for (const id of [2_122_585_718, 2, 3]) assert.deepStrictEqual(yield* reader.group(id), group)
        assert.isTrue(Option.isNone(yield* reader.group(4)))
      })
    ))

  it.live("is replaced as a whole, and dissolved when no alts are left", () =>
    withGroups((groups, reader) =>
      Effect.gen(function*() {
        yield* groups.set({ main_character_id: 1, alts: [2, 3] })
        yield* groups.set({ main_character_id: 1, alts: [3, 4] })
        assert.deepStrictEqual(yield* reader.group(3), Option.some({ main_character_id: 1, alts: [3, 4] }))
        assert.isTrue(Option.isNone(yield* reader.group(2)))
        yield* groups.set({ main_character_id: 1, alts: [] })
        assert.isTrue(Option.isNone(yield* reader.group(3)))
      })
    ))

  it.live("takes nobody who is in another: no alt, no main, and no alt as its main", () =>
    withGroups((groups, reader) =>
      Effect.gen(function*() {
        yield* groups.set({ main_character_id: 1, alts: [2] })
        const taken = Option.some({ character_id: 2, main_character_id: 1 })
        assert.deepStrictEqual(yield* groups.set({ main_character_id: 5, alts: [6, 2] }), taken)
        assert.deepStrictEqual(yield* groups.set({ main_character_id: 5, alts: [1] }), taken)
        assert.deepStrictEqual(yield* groups.set({ main_character_id: 2, alts: [6] }), taken)
        assert.isTrue(Option.isNone(yield* reader.group(6)))
      })
    ))
})
