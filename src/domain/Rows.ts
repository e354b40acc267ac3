/** A killmail taken apart into the rows that are stored, and put together again. Pure; `assemble` undoes `itemRows`. */
import type { Item } from "./Killmail.ts"

/** One item, its container named by ordinal; ordinals count depth first, so a container comes before its contents. */
export interface ItemRow {
  readonly ordinal: number
  readonly parent_ordinal: number | null
  readonly item_type_id: number
  readonly flag: number
  readonly singleton: number
  readonly quantity_dropped: number | null
  readonly quantity_destroyed: number | null
}

export const itemRows = (items: ReadonlyArray<Item>): ReadonlyArray<ItemRow> => {
  const rows: Array<ItemRow> = []
  const add = (item: Item, parent: number | null): void => {
    const ordinal = rows.length
    rows.push({
      ordinal,
      parent_ordinal: parent,
      item_type_id: item.item_type_id,
      flag: item.flag,
      singleton: item.singleton,
      quantity_dropped: item.quantity_dropped ?? null,
      quantity_destroyed: item.quantity_destroyed ?? null
    })
    for (const inner of item.items ?? []) add(inner, ordinal)
  }
  for (const item of items) add(item, null)
  return rows
}

/** The items as ESI nests them; rows in order of their ordinal. */
export const assembleItems = (rows: ReadonlyArray<ItemRow>): ReadonlyArray<Item> => {
  type Growing = Omit<Item, "items"> & { items?: Array<Growing> }
  const byOrdinal = new Map<number, Growing>()
  const roots: Array<Growing> = []
  for (const row of rows) {
    const item: Growing = {
      flag: row.flag,
      item_type_id: row.item_type_id,
      singleton: row.singleton,
      ...(row.quantity_dropped === null ? {} : { quantity_dropped: row.quantity_dropped }),
      ...(row.quantity_destroyed === null ? {} : { quantity_destroyed: row.quantity_destroyed })
    }
    byOrdinal.set(row.ordinal, item)
    const container = row.parent_ordinal === null ? undefined : byOrdinal.get(row.parent_ordinal)
    if (container === undefined) roots.push(item)
    else (container.items ??= []).push(item)
  }
  return roots
}
