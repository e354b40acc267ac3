/** Pages of killmails: how they are asked for, and read. */
import { Effect } from "effect"
import { type GraphQLFieldConfigArgumentMap, GraphQLInt, GraphQLNonNull, GraphQLString } from "graphql"
import { toDocument } from "../../domain/Document.ts"
import type { Filter } from "../../domain/Filter.ts"
import { BadRequest } from "../ApiErrors.ts"
import { cursorOf, placeIn } from "../Cursor.ts"
import { mostListed, usualLimit } from "../Shapes.ts"
import { unavailable } from "../Unavailable.ts"
import type { Answering } from "./Answering.ts"
import { filterOf, KillmailFilter } from "./FilterInput.ts"

export interface PageArguments {
  readonly filter?: Record<string, unknown> | null
  readonly limit: number
  readonly cursor?: string | null
}

export const pageArguments: GraphQLFieldConfigArgumentMap = {
  filter: { type: KillmailFilter },
  limit: { type: new GraphQLNonNull(GraphQLInt), default: { value: usualLimit }, description: `1 to ${mostListed}` },
  cursor: { type: GraphQLString, description: "The `nextCursor` of the page before, with the same filter" }
}

export const pageOf = Effect.fnUntraced(function*(
  { stores, wantsItems }: Answering,
  { cursor, filter: input, limit }: PageArguments,
  of: Filter = {}
) {
  const filter = { ...(yield* filterOf(input)), ...of }
  if (limit < 1 || limit > mostListed) {
    return yield* new BadRequest({ detail: `limit: got ${limit}, wants 1 to ${mostListed}.` })
  }
  const after = typeof cursor === "string" ? placeIn(cursor) : undefined
  if (typeof cursor === "string" && after === undefined) {
    return yield* new BadRequest({ detail: "cursor: wants the nextCursor of the page before." })
  }
  const { next, rows } = yield* unavailable(stores.search.page(filter, { after, limit, items: wantsItems }))
  return {
    data: rows.map((row) => toDocument(row, nameless)),
    nextCursor: cursorOf(next)
  }
})

/** Names are asked for one by one, by who wants them. */
export const nameless: ReadonlyMap<number, string> = new Map()
