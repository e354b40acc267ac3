/** The contract for what killmaild tells of itself: feeds and jobs. */
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
    HttpApiEndpoint.get("queue", "/queue", { success: listOf(TaskStats), error: Unavailable }).middleware(Operator)
      .annotateMerge(OpenApi.annotations({ summary: "Jobs by task and priority" }))
  )
  .prefix("/api/v1")
{}
