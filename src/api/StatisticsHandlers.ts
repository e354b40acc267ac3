/** What answers for statistics and top lists. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Names } from "../store/Names.ts"
import { StatisticsReader } from "../store/StatisticsReader.ts"
import { Api } from "./Api.ts"
import { unavailable } from "./Unavailable.ts"

const kindOf = {
  characters: "character",
  corporations: "corporation",
  alliances: "alliance",
  types: "type",
  systems: "system",
  regions: "region"
} as const

export const StatisticsHandlers = HttpApiBuilder.group(
  Api,
  "statistics",
  Effect.fn(function*(handlers) {
    const reader = yield* StatisticsReader
    const names = yield* Names
    return handlers.handleAll({
      stats: ({ params: { entities, id } }) => unavailable(reader.of(kindOf[entities], id)),
      top: Effect.fnUntraced(function*({ query: { by = "kills", days = null, kind, limit = 10 } }) {
        const data = yield* unavailable(reader.top({ by, days, kind, limit }))
        const known = yield* unavailable(names.namesOf(data.map(({ id }) => id)))
        return { data, names: Object.fromEntries(known) }
      })
    })
  })
)
