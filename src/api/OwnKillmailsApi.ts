/** The contract of a pilot's own killmails: what ESI lists for each character, how they are held back, and the killmails. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { BadRequest, Forbidden, NotFound, SignedIn, Unavailable } from "./ApiErrors.ts"
import { KillmailSummary } from "./KillmailShapes.ts"
import { idParams, listOf, pageLimit } from "./Shapes.ts"

/** As zKillboard lets its users choose. */
const mostHours = 72

const HeldBack = Schema.Union([
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: mostHours })),
  Schema.Literal("always"),
  Schema.Null
]).annotate({
  expected: `hours from 0 to ${mostHours}, "always" or null`,
  description: "Hours after the kill until a killmail may become public, 0 at once; null where that is left to others"
})

export const KillmailList = Schema.Struct({
  kind: Schema.Literals(["character", "corporation"]),
  id: Schema.Int,
  read_at: Schema.NullOr(Schema.String).annotate({ description: "When ESI's list was read to its end" }),
  next_at: Schema.String.annotate({ description: "When it is due again" }),
  held_back: HeldBack,
  found: Schema.Int.annotate({ description: "Killmails that the list named" }),
  new: Schema.Int.annotate({ description: "Of these, killmails that were not here" }),
  known: Schema.Int,
  failed: Schema.Int.annotate({ description: "Of these, killmails that could not be had" })
}).annotate({ identifier: "KillmailList" })

const CharacterLists = Schema.Struct({
  character_id: Schema.Int,
  name: Schema.String,
  killmail_lists: Schema.Array(KillmailList).annotate({
    description: "Its own, and its corporation's where ESI shows that to it"
  })
}).annotate({ identifier: "CharacterLists" })

const OwnKillmail = Schema.Struct({
  ...KillmailSummary.fields,
  public: Schema.Boolean,
  visible_from: Schema.NullOr(Schema.String).annotate({
    description: "When it became public, or will; null for one that only members see"
  })
}).annotate({ identifier: "OwnKillmail" })

const HoldBack = Schema.Struct({ held_back: HeldBack })

export class OwnKillmailsApi extends HttpApiGroup.make("ownKillmails")
  .add(
    HttpApiEndpoint.get("characters", "/characters", { success: listOf(CharacterLists), error: Unavailable })
      .annotateMerge(OpenApi.annotations({ summary: "One's characters, and what ESI lists of their killmails" })),
    HttpApiEndpoint.get("killmails", "/killmails", {
      query: {
        limit: pageLimit,
        cursor: Schema.optionalKey(Schema.String.annotate({ description: "The `next_cursor` of the page before" }))
      },
      success: listOf(OwnKillmail),
      error: [BadRequest, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({ summary: "One's own killmails and those one's corporations hold back, newest first" })
    ),
    HttpApiEndpoint.put("holdBackCharacter", "/characters/:id/killmail-privacy", {
      params: idParams,
      payload: HoldBack,
      success: HttpApiSchema.NoContent,
      error: [NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Holds a character's killmails back from the public" })),
    HttpApiEndpoint.put("holdBackCorporation", "/corporations/:id/killmail-privacy", {
      params: idParams,
      payload: HoldBack,
      success: HttpApiSchema.NoContent,
      error: [Forbidden, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Holds a corporation's killmails back, for its directors" }))
  )
  .middleware(SignedIn)
  .prefix("/api/v1/me")
{}
