/** What endpoints of several groups share: the id in a path, the filter in a query, and a page of a list. */
import { Schema } from "effect"
import { filterFields, isList } from "../domain/Filter.ts"
import { Id } from "../domain/Killmail.ts"

/** `/…/:id` */
export const idParams = { id: Id }

/** An id of ours. */
export const Uuid = Schema.String.check(
  Schema.isPattern(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u, { expected: "a UUID in lower case" })
)

/** What a user calls something; Postgres holds no NUL. */
export const Name = Schema.String.check(Schema.isPattern(/^[^\0]{1,100}$/u, { expected: "1 to 100 characters" }))

/** A sequence as a query or a header has it. */
export const SequenceText = Schema.String.check(Schema.isPattern(/^\d{1,15}$/u, { expected: "a sequence" }))

/** Some of these words, with commas between. */
export const someOf = (words: ReadonlyArray<string>) => {
  const one = `(${words.join("|")})`
  const expected = `some of ${words.join(", ")}, with commas between`
  return Schema.String.check(Schema.isPattern(new RegExp(`^${one}(,${one})*$`, "u"), { expected }))
}

/** Read by itself (`readFilter`), so that what is wrong with it is told by the name of its field. */
export const GivenFilter = Schema.Unknown.annotate({
  description: "An object of the fields of docs/filter.md; {} for every killmail"
})

/** The filter's fields as a query has them; `FilterQuery.ts` reads them, and refuses by name what is none. */
export const filterQuery = Object.fromEntries(
  Object.entries(filterFields).map(([field, wants]) => {
    const texts = isList(field) ? Schema.Array(Schema.String) : Schema.String
    return [field, Schema.optionalKey((texts as Schema.Codec<unknown, string>).annotate({ description: wants }))]
  })
)

/** Rows of a page, unless told, and at most. */
export const usualLimit = 50
export const mostListed = 1000

/** How many rows of a page are wanted. */
export const Limit = Schema.FiniteFromString.check(
  Schema.isInt(),
  Schema.isGreaterThanOrEqualTo(1),
  Schema.isLessThanOrEqualTo(mostListed)
)
export const pageLimit = Schema.optionalKey(
  Limit.annotate({ description: `Rows of a page, ${usualLimit} unless told` })
)

/** ISO 8601, UTC. */
export const OptionalTime = Schema.NullOr(Schema.String)

/** A page; `next_cursor` asks for the one after it, and is null on the last. */
export const listOf = <S extends Schema.Top>(item: S) =>
  Schema.Struct({ data: Schema.Array(item), next_cursor: Schema.NullOr(Schema.String) })

/** From id to name; ids whose names are unknown are absent. */
export const NamesById = Schema.Record(Schema.String, Schema.String)
