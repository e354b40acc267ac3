/** What endpoints of several groups share: the id in a path, and a page of a list. */
import { Schema } from "effect"
import { Id } from "../domain/Killmail.ts"

/** `/…/:id` */
export const idParams = { id: Id }

/** A page; `next_cursor` asks for the one after it, and is null on the last. */
export const listOf = <S extends Schema.Top>(item: S) =>
  Schema.Struct({ data: Schema.Array(item), next_cursor: Schema.NullOr(Schema.String) })

/** From id to name; ids whose names are unknown are absent. */
export const NamesById = Schema.Record(Schema.String, Schema.String)
