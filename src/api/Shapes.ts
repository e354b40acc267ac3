/** What endpoints of several groups share: the id in a path, the filter in a query, and a page of a list. */
import { Schema } from "effect"
import { filterFields, isList } from "../domain/Filter.ts"
import { Id } from "../domain/Killmail.ts"

/** `/…/:id` */
export const idParams = { id: Id }

/** An id of ours. */
export const Uuid = Schema.String.check(Schema.isPattern(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/))

/** The filter's fields as a query has them; `FilterQuery.ts` reads them, and refuses by name what is none. */
export const filterQuery = Object.fromEntries(
  Object.entries(filterFields).map(([field, wants]) => {
    const texts = isList(field) ? Schema.Array(Schema.String) : Schema.String
    return [field, Schema.optionalKey((texts as Schema.Codec<unknown, string>).annotate({ description: wants }))]
  })
)

/** How many rows of a page are wanted, 1 to 1000. */
export const pageLimit = Schema.optionalKey(
  Schema.FiniteFromString.check(
    Schema.isInt(),
    Schema.isGreaterThanOrEqualTo(1),
    Schema.isLessThanOrEqualTo(1000)
  ).annotate({ description: "Of a page, 50 unless told" })
)

/** A page; `next_cursor` asks for the one after it, and is null on the last. */
export const listOf = <S extends Schema.Top>(item: S) =>
  Schema.Struct({ data: Schema.Array(item), next_cursor: Schema.NullOr(Schema.String) })

/** From id to name; ids whose names are unknown are absent. */
export const NamesById = Schema.Record(Schema.String, Schema.String)
