/** The contract of `/api/v1/me`: what is known of whoever is signed in, and how to leave. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Conflict, NotFound, SignedIn, Unavailable } from "./ApiErrors.ts"
import { DeviceType, PushToken } from "./AuthApi.ts"
import { CharacterChange } from "./CharacterDataApi.ts"
import { Alert, Notification } from "./NotificationsApi.ts"
import { KillmailList } from "./OwnKillmailsApi.ts"
import { Chosen } from "./SettingsApi.ts"
import { idParams, listOf, OptionalTime, Uuid } from "./Shapes.ts"
import { Webhook } from "./WebhooksApi.ts"

const Character = Schema.Struct({
  character_id: Schema.Int,
  name: Schema.String,
  added_at: Schema.String,
  scopes: Schema.Array(Schema.String).annotate({
    description: "What EVE's SSO lets us ask for; empty without a token"
  }),
  token_refreshed_at: OptionalTime,
  sign_in_again: Schema.NullOr(Schema.Literals(["invalid_grant", "owner_changed"])).annotate({
    description: "Why there is no token any more, and the character has to sign in again"
  }),
  synced_at: Schema.Record(Schema.String, Schema.String).annotate({
    description: "When each job was last done for it, by task, of the last 7 days"
  })
}).annotate({ identifier: "OwnCharacter" })

const Me = Schema.Struct({
  id: Schema.String,
  created_at: Schema.String,
  email: Schema.NullOr(Schema.String),
  tier: Schema.Literals(["free", "premium"]),
  subscription_status: Schema.NullOr(Schema.Literals(["active", "canceled", "expired"])),
  subscription_ends_at: OptionalTime,
  characters: Schema.Array(Character)
}).annotate({ identifier: "Me" })

const Session = Schema.Struct({
  id: Schema.String,
  device_type: DeviceType,
  has_push_token: Schema.Boolean,
  is_this: Schema.Boolean.annotate({ description: "Whether it is the one that asks" }),
  created_at: Schema.String,
  used_at: Schema.String.annotate({ description: "When its tokens were renewed last" }),
  expires_at: Schema.String
}).annotate({ identifier: "Session" })

const Export = Schema.Struct({
  user: Me,
  settings: Chosen,
  sessions: Schema.Array(Session),
  character_data: Schema.Array(
    Schema.Struct({ character_id: Schema.Int, kind: Schema.String, synced_at: OptionalTime, data: Schema.Json })
  ),
  character_changes: Schema.Array(CharacterChange),
  notifications: Schema.Array(Notification),
  alerts: Schema.Array(Alert),
  webhooks: Schema.Array(Webhook),
  killmail_lists: Schema.Array(KillmailList)
}).annotate({ identifier: "Export" })

const Left = Schema.Struct({
  grants_revoked: Schema.Int,
  grants_unreached: Schema.Int.annotate({
    description: "EVE's SSO did not answer for these: revoke them at developers.eveonline.com/authorized-apps"
  })
}).annotate({ identifier: "Left" })

export class MeApi extends HttpApiGroup.make("me")
  .add(
    HttpApiEndpoint.get("me", "/", { success: Me, error: Unavailable })
      .annotateMerge(OpenApi.annotations({ summary: "Who is signed in, with which characters" })),
    HttpApiEndpoint.get("export", "/export", { success: Export, error: Unavailable })
      .annotateMerge(OpenApi.annotations({ summary: "What is kept of the user, but for secrets" })),
    HttpApiEndpoint.delete("leave", "/", { success: Left, error: Unavailable })
      .annotateMerge(OpenApi.annotations({ summary: "Removes the user and all that is theirs, at once and for good" })),
    HttpApiEndpoint.delete("removeCharacter", "/characters/:id", {
      params: idParams,
      success: Left,
      error: [NotFound, Conflict, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Removes a character; the last one leaves with the user alone" })),
    HttpApiEndpoint.get("sessions", "/sessions", { success: listOf(Session), error: Unavailable })
      .annotateMerge(OpenApi.annotations({ summary: "Where the user is signed in" })),
    HttpApiEndpoint.put("describeSession", "/sessions/this", {
      payload: Schema.Struct({
        device_type: Schema.optionalKey(DeviceType),
        push_token: Schema.optionalKey(Schema.NullOr(PushToken))
      }),
      success: HttpApiSchema.NoContent,
      error: Unavailable
    }).annotateMerge(
      OpenApi.annotations({ summary: "Says on which device this session is, and where its messages go" })
    ),
    HttpApiEndpoint.delete("revokeSession", "/sessions/:id", {
      params: { id: Uuid },
      success: HttpApiSchema.NoContent,
      error: [NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Ends a session" })),
    HttpApiEndpoint.delete("revokeSessions", "/sessions", { success: HttpApiSchema.NoContent, error: Unavailable })
      .annotateMerge(OpenApi.annotations({ summary: "Ends all sessions, this one, too" }))
  )
  .middleware(SignedIn)
  .prefix("/api/v1/me")
{}
