/** Reads the filter of a request's query. */
import { Effect } from "effect"
import { type Filter, readFilterQuery } from "../domain/Filter.ts"
import { BadRequest } from "./ApiErrors.ts"

/** All but what the endpoint knows by `others` is the filter's. Fails with one sentence that names what is wrong. */
export const filterIn = (
  { url }: { readonly url: string },
  others: ReadonlyArray<string>
): Effect.Effect<Filter, BadRequest> => {
  const given = URL.parse(url, "http://localhost")?.searchParams ?? new URLSearchParams()
  const names = [...new Set(given.keys())].filter((name) => !others.includes(name))
  const query = Object.fromEntries(names.map((name) => [name, given.getAll(name)]))
  return Effect.mapError(Effect.fromResult(readFilterQuery(query)), (detail) => new BadRequest({ detail }))
}
