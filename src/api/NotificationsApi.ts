/** The contract of `/api/v1/me/notifications` and `/api/v1/me/alerts`: what a user is told, and of which killmails. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Filter } from "../domain/Filter.ts"
import { BadRequest, Conflict, NotFound, SignedIn, Unavailable } from "./ApiErrors.ts"
import { GivenFilter, listOf, Name, OptionalTime, pageLimit, someOf, Uuid } from "./Shapes.ts"

const idParams = { id: Uuid }
const summary = (text: string) => OpenApi.annotations({ summary: text })

export const Notification = Schema.Struct({
  id: Schema.String,
  character_id: Schema.NullOr(Schema.Int).annotate({ description: "Whose it is about, if any of the user's" }),
  kind: Schema.Literals([
    "skill_done",
    "order_filled",
    "order_expired",
    "job_done",
    "extractor_finished",
    "mail_received",
    "killmail_matched"
  ]),
  data: Schema.Record(Schema.String, Schema.Json),
  status: Schema.Literals(["pending", "sent", "read", "failed"]).annotate({
    description: "Pending: no device was told yet; failed: none could be"
  }),
  created_at: Schema.String,
  sent_at: OptionalTime,
  read_at: OptionalTime
}).annotate({ identifier: "Notification" })

export const Alert = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  filter: Filter,
  is_enabled: Schema.Boolean,
  created_at: Schema.String
}).annotate({ identifier: "KillmailAlert" })

export class NotificationsApi extends HttpApiGroup.make("notifications")
  .add(
    HttpApiEndpoint.get("notifications", "/notifications", {
      query: {
        status: Schema.optionalKey(
          someOf(["pending", "sent", "read", "failed"]).annotate({
            description: "Some of pending, sent, read and failed, with commas between; all unless told"
          })
        ),
        limit: pageLimit,
        cursor: Schema.optionalKey(Uuid.annotate({ description: "The `next_cursor` of the page before" }))
      },
      success: listOf(Notification),
      error: Unavailable
    }).annotateMerge(summary("What the user was told, newest first")),
    HttpApiEndpoint.get("unread", "/notifications/unread", {
      success: Schema.Struct({ unread: Schema.Int }).annotate({ identifier: "Unread" }),
      error: Unavailable
    }).annotateMerge(summary("How many were not read")),
    HttpApiEndpoint.post("readAll", "/notifications/read", { success: HttpApiSchema.NoContent, error: Unavailable })
      .annotateMerge(summary("Marks all as read")),
    HttpApiEndpoint.post("read", "/notifications/:id/read", {
      params: idParams,
      success: HttpApiSchema.NoContent,
      error: [NotFound, Unavailable]
    }).annotateMerge(summary("Marks one as read")),
    HttpApiEndpoint.get("alerts", "/alerts", { success: listOf(Alert), error: Unavailable })
      .annotateMerge(summary("Of which killmails the user is told")),
    HttpApiEndpoint.post("createAlert", "/alerts", {
      payload: Schema.Struct({
        name: Name,
        filter: GivenFilter,
        is_enabled: Schema.optionalKey(Schema.Boolean)
      }),
      success: Alert.pipe(HttpApiSchema.status(201)),
      error: [BadRequest, Conflict, Unavailable]
    }).annotateMerge(summary("Tells of killmails that fit the filter from now on")),
    HttpApiEndpoint.patch("changeAlert", "/alerts/:id", {
      params: idParams,
      payload: Schema.Struct({
        name: Schema.optionalKey(Name),
        filter: Schema.optionalKey(GivenFilter),
        is_enabled: Schema.optionalKey(Schema.Boolean)
      }),
      success: Alert,
      error: [BadRequest, NotFound, Unavailable]
    }).annotateMerge(summary("Changes what is given")),
    HttpApiEndpoint.delete("removeAlert", "/alerts/:id", {
      params: idParams,
      success: HttpApiSchema.NoContent,
      error: [NotFound, Unavailable]
    }).annotateMerge(summary("Tells of these killmails no more"))
  )
  .middleware(SignedIn)
  .prefix("/api/v1/me")
{}
