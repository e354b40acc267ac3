/** Reads the filter of a request's query. */
import { Effect } from "effect"
import { type Filter, readFilterQuery } from "../domain/Filter.ts"
import { BadRequest } from "./ApiErrors.ts"

/** All but what the endpoint knows by `others` is the filter's. Fails with one sentence that names what is wrong. */
export const filterIn = (
  { url }: { readonly url: string },
  others: ReadonlyArray<string>
): Effect.Effect<Filter, BadRequest> => {
  const query: Record<string, Array<string>> = {}
  for (const [name, value] of URL.parse(url, "http://localhost")?.searchParams ?? []) {
    if (!others.includes(name)) (query[name] ??= []).push(value)
  }
  return Effect.mapError(Effect.fromResult(readFilterQuery(query)), (detail) => new BadRequest({ detail }))
}
