/** The contract for what killmaild tells of itself: feeds, what they did not tell, and jobs. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Operator, Unavailable } from "./ApiErrors.ts"
import { listOf } from "./Shapes.ts"

const Feed = Schema.Struct({
  feed: Schema.String,
  cursor: Schema.NullOr(Schema.Int),
  moved_at: Schema.String,
  heard_at: Schema.NullOr(Schema.String),
  leader: Schema.NullOr(Schema.String)
})

const Gap = Schema.Struct({
  id: Schema.Int,
  feed: Schema.String.annotate({ description: "`zkillboard` for a day that has fewer killmails here than there" }),
  reason: Schema.String,
  from_cursor: Schema.NullOr(Schema.Int).annotate({ description: "The first number that is missing" }),
  to_cursor: Schema.NullOr(Schema.Int).annotate({ description: "The first number after it" }),
  day: Schema.String,
  opened_at: Schema.String,
  closed_at: Schema.NullOr(Schema.String),
  found: Schema.Int.annotate({ description: "Killmails of the day that were missing here and are somewhere else" })
})

const DayCount = Schema.Struct({
  day: Schema.String,
  upstream_total: Schema.Int.annotate({ description: "zKillboard's count" }),
  stored: Schema.Int,
  kept: Schema.Boolean.annotate({ description: "Whether the day is to be complete here" }),
  checked_at: Schema.String
})

const TaskStats = Schema.Struct({
  task: Schema.String,
  priority: Schema.Int,
  waiting: Schema.Int,
  scheduled: Schema.Int,
  active: Schema.Int,
  failed: Schema.Int,
  completed: Schema.Int.annotate({ description: "In the last 24 hours" }),
  oldest_waiting: Schema.NullOr(Schema.String)
})

export class SystemApi extends HttpApiGroup.make("system")
  .add(
    HttpApiEndpoint.get("feeds", "/feeds", { success: listOf(Feed), error: Unavailable })
      .annotateMerge(OpenApi.annotations({ summary: "Where killmails are heard of, and how far each feed was read" })),
    HttpApiEndpoint.get("gaps", "/gaps", { success: listOf(Gap), error: Unavailable })
      .annotateMerge(OpenApi.annotations({ summary: "What feeds did not tell, open gaps first: the newest 1,000" })),
    HttpApiEndpoint.get("days", "/days", { success: listOf(DayCount), error: Unavailable })
      .annotateMerge(
        OpenApi.annotations({ summary: "Killmails of each day, here and at zKillboard: the newest 1,000 days" })
      ),
    HttpApiEndpoint.get("queue", "/queue", { success: listOf(TaskStats), error: Unavailable }).middleware(Operator)
      .annotateMerge(OpenApi.annotations({ summary: "Jobs by task and priority" }))
  )
  .prefix("/api/v1")
{}
