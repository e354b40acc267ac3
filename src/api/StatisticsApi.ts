/** The contract for statistics and top lists. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { counters, statisticsKinds } from "../domain/Statistics.ts"
import { Unavailable } from "./ApiErrors.ts"
import { idParams, NamesById } from "./Shapes.ts"

const counts = {
  kills: Schema.Int.annotate({ description: "Killmails with it among the attackers; of places, killmails there" }),
  losses: Schema.Int,
  npc_losses: Schema.Int.annotate({ description: "Of the losses, those to NPCs alone" }),
  solo_kills: Schema.Int,
  solo_losses: Schema.Int,
  final_blows: Schema.Int,
  points: Schema.Int.annotate({ description: "Of the kills" }),
  damage_done: Schema.Finite,
  damage_taken: Schema.Finite,
  isk_destroyed: Schema.Finite.annotate({ description: "ISK, the whole value of each kill" }),
  isk_lost: Schema.Finite
}

export const Statistics = Schema.Struct({
  all: Schema.Struct(counts).annotate({ identifier: "Counts", description: "Of all time" }),
  months: Schema.Array(
    Schema.Struct({ month: Schema.String, ...counts }).annotate({ identifier: "MonthCounts" })
  ),
  days: Schema.Array(
    Schema.Struct({ day: Schema.String, ...counts }).annotate({ identifier: "DayCounts" })
  ).annotate({ description: "The last 400" })
}).annotate({
  identifier: "Statistics",
  description: "Newest first, in UTC; a month or a day without a killmail is absent. Seconds behind the killmails"
})

const TopList = Schema.Struct({
  data: Schema.Array(Schema.Struct({ id: Schema.Int, value: Schema.Finite })),
  names: NamesById
}).annotate({ identifier: "TopList" })

/** A whole number that a query may leave out. */
const upTo = (most: number) =>
  Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: most }))

export class StatisticsApi extends HttpApiGroup.make("statistics")
  .add(
    HttpApiEndpoint.get("stats", "/:entities/:id/stats", {
      params: {
        entities: Schema.Literals(["characters", "corporations", "alliances", "types", "systems", "regions"]),
        ...idParams
      },
      success: Statistics,
      error: Unavailable
    }).annotateMerge(
      OpenApi.annotations({ summary: "What it killed and lost; zeros for one that was on no killmail" })
    ),
    HttpApiEndpoint.get("top", "/top", {
      query: {
        kind: Schema.Literals(statisticsKinds),
        by: Schema.optionalKey(Schema.Literals(counters)),
        days: Schema.optionalKey(upTo(90)),
        limit: Schema.optionalKey(upTo(100))
      },
      success: TopList,
      error: Unavailable
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Who has most of something (kills) in the last days, or without `days` of all time; the first 10"
      })
    )
  )
  .prefix("/api/v1")
{}
