/** The contract of `/api/v1/stream`: killmails as server-sent events. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { BadRequest, Conflict, Unavailable } from "./ApiErrors.ts"
import { filterQuery, SequenceText } from "./Shapes.ts"

export class StreamApi extends HttpApiGroup.make("stream")
  .add(
    HttpApiEndpoint.get("stream", "/stream", {
      query: {
        ...filterQuery,
        after: Schema.optionalKey(
          SequenceText.annotate({ description: "The last sequence that the client has: it goes on from there" })
        ),
        epoch: Schema.optionalKey(Schema.String.annotate({ description: "The epoch of that sequence" }))
      },
      headers: {
        "last-event-id": Schema.optionalKey(
          SequenceText.annotate({ description: "As `after`; browsers send it when they connect again" })
        )
      },
      success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/event-stream" })),
      error: [BadRequest, Conflict, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Killmails that fit the filter, as they are published: server-sent events, the id is the sequence"
      })
    )
  )
  .prefix("/api/v1")
{}
