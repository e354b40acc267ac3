/** The contract of webhooks: `/api/v1/me/webhooks` for users, `/api/v1/webhooks` for the operator, who has the same. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Filter } from "../domain/Filter.ts"
import { BadRequest, Conflict, NotFound, Operator, SignedIn, Unavailable } from "./ApiErrors.ts"
import { GivenFilter, listOf, Name, SequenceText, Uuid } from "./Shapes.ts"

const Format = Schema.Literals(["discord", "slack", "json"])
const Url = Schema.String.check(Schema.isMaxLength(2000)).annotate({
  description: "An https:// address that is public; it is never shown again"
})

const shape = {
  id: Schema.String,
  name: Schema.String,
  format: Format,
  url: Schema.String.annotate({ description: "Where it leads, without what of it is secret" }),
  filter: Filter,
  is_enabled: Schema.Boolean,
  disabled_because: Schema.NullOr(Schema.String).annotate({
    description: "What its receiver said that made it of no use; null when its owner disabled it"
  }),
  created_at: Schema.String,
  delivered_at: Schema.NullOr(Schema.String).annotate({ description: "When it was told of a killmail last" }),
  waiting: Schema.Int.annotate({ description: "Killmails that it is still to be told of" })
}
export const Webhook = Schema.Struct(shape).annotate({ identifier: "Webhook" })

const Created = Schema.Struct({
  ...shape,
  secret: Schema.NullOr(Schema.String).annotate({
    description: "Proves to the receiver of `json` that it is us; shown this once. null for other formats"
  })
}).annotate({ identifier: "WebhookCreated" })

const TestSend = Schema.Struct({
  delivered: Schema.Boolean,
  status: Schema.NullOr(Schema.Int).annotate({ description: "The HTTP status of the answer; null without one" }),
  answer: Schema.String.annotate({ description: "The beginning of what the receiver said, or why there is nothing" })
}).annotate({ identifier: "WebhookTest" })

const Replay = Schema.Struct({
  deliveries: Schema.Int.annotate({ description: "Killmails that it will be told of, again or at last" }),
  next_after: Schema.NullOr(Schema.Int).annotate({ description: "To go on from when there is more; null at the end" })
}).annotate({ identifier: "WebhookReplay" })

const Delivery = Schema.Struct({
  sequence: Schema.Int,
  killmail_id: Schema.Int,
  status: Schema.Literals(["waiting", "delivered", "failed", "skipped"]),
  attempts: Schema.Int,
  http_status: Schema.NullOr(Schema.Int),
  error: Schema.NullOr(Schema.String),
  created_at: Schema.String,
  ended_at: Schema.NullOr(Schema.String)
}).annotate({ identifier: "WebhookDelivery" })

const Webhooks = listOf(Webhook)
const Deliveries = listOf(Delivery)

const Sequence = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const params = { id: Uuid }

const described = (summary: string) => OpenApi.annotations({ summary })

const endpoints = [
  HttpApiEndpoint.get("list", "/", { success: Webhooks, error: Unavailable })
    .annotateMerge(described("Webhooks, in the order in which they were made")),
  HttpApiEndpoint.post("create", "/", {
    payload: Schema.Struct({
      name: Name,
      format: Format,
      url: Url,
      filter: Schema.optionalKey(GivenFilter),
      is_enabled: Schema.optionalKey(Schema.Boolean)
    }),
    success: Created.pipe(HttpApiSchema.status(201)),
    error: [BadRequest, Conflict, Unavailable]
  }).annotateMerge(described("Makes a webhook, which is told of what is published from now on")),
  HttpApiEndpoint.get("get", "/:id", { params, success: Webhook, error: [NotFound, Unavailable] })
    .annotateMerge(described("A webhook")),
  HttpApiEndpoint.patch("change", "/:id", {
    params,
    payload: Schema.Struct({
      name: Schema.optionalKey(Name),
      url: Schema.optionalKey(Url),
      filter: Schema.optionalKey(GivenFilter),
      is_enabled: Schema.optionalKey(Schema.Boolean)
    }),
    success: Webhook,
    error: [BadRequest, NotFound, Unavailable]
  }).annotateMerge(described("Changes a webhook; one that is enabled again is told of what is published from then on")),
  HttpApiEndpoint.delete("remove", "/:id", {
    params,
    success: HttpApiSchema.NoContent,
    error: [NotFound, Unavailable]
  }).annotateMerge(described("Removes a webhook and what is known of its deliveries")),
  HttpApiEndpoint.post("test", "/:id/test", {
    params,
    success: TestSend,
    error: [NotFound, Conflict, Unavailable]
  }).annotateMerge(described("Sends it the newest killmail now, whatever its filter, and tells what it answers")),
  HttpApiEndpoint.post("replay", "/:id/replay", {
    params,
    payload: Schema.Struct({ after: Sequence, up_to: Sequence }),
    success: Replay,
    error: [NotFound, Conflict, Unavailable]
  }).annotateMerge(
    described("Tells it, again, of what was published after one sequence up to another and fits its filter")
  ),
  HttpApiEndpoint.get("deliveries", "/:id/deliveries", {
    params,
    query: {
      cursor: Schema.optionalKey(SequenceText.annotate({ description: "The `next_cursor` of the page before" }))
    },
    success: Deliveries,
    error: [NotFound, Unavailable]
  }).annotateMerge(described("What became of what it was to be told of, the newest first, of the last 7 days"))
] as const

export class OwnWebhooksApi
  extends HttpApiGroup.make("ownWebhooks").add(...endpoints).middleware(SignedIn).prefix("/api/v1/me/webhooks")
{}

export class WebhooksApi
  extends HttpApiGroup.make("webhooks").add(...endpoints).middleware(Operator).prefix("/api/v1/webhooks")
{}
