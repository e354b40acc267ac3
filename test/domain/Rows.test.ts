import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Item } from "../../src/domain/Killmail.ts"
import { assembleItems, itemRows } from "../../src/domain/Rows.ts"

/** A container with nothing in it is told from no container by nobody. */
const withoutEmpty = (list: ReadonlyArray<Item>): ReadonlyArray<Item> =>
  list.map(({ items, ...item }) =>
    items === undefined || items.length === 0 ? item : { ...item, items: withoutEmpty(items) }
  )

const countOf = (list: ReadonlyArray<Item>): number =>
  list.reduce((count, { items }) => count + 1 + countOf(items ?? []), 0)

const leaf = { flag: 5, item_type_id: 34, singleton: 0, quantity_dropped: 0 }
const box = (...items: ReadonlyArray<Item>): Item => ({ flag: 0, item_type_id: 3297, singleton: 0, items })

describe("items taken apart into rows", () => {
  it.prop("are put together again as they were, however they are nested", [Schema.Array(Item)], ([items]) => {
    const rows = itemRows(items)
    assert.deepStrictEqual(assembleItems(rows), withoutEmpty(items))
    assert.strictEqual(rows.length, countOf(items))
  })

  it("are put together again from three levels, siblings of a container after it", () => {
    const items = [box(box(box(leaf), leaf), leaf), leaf, box(leaf)]
    assert.deepStrictEqual(assembleItems(itemRows(items)), items)
    assert.deepStrictEqual(itemRows(items).map(({ parent_ordinal }) => parent_ordinal), [
      null,
      0,
      1,
      2,
      1,
      0,
      null,
      null,
      7
    ])
  })

  it.prop("are numbered from 0 without a hole, and a container comes before its contents", [Schema.Array(Item)], ([
    items
  ]) => {
    itemRows(items).forEach(({ ordinal, parent_ordinal }, index) => {
      assert.strictEqual(ordinal, index)
      if (parent_ordinal !== null) assert.isBelow(parent_ordinal, ordinal)
    })
  })
})
