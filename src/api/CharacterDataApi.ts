/** The contract of `/api/v1/me/characters/{id}/…`: what ESI tells of one's own characters, and what changed in it. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { NotFound, SignedIn, Unavailable } from "./ApiErrors.ts"
import { idParams, listOf, OptionalTime, pageLimit } from "./Shapes.ts"

const kind = Schema.Literals(["skills", "mail", "orders", "industry", "planets"])

const Shown = Schema.Struct({
  data: Schema.Json.annotate({ description: "In ESI's words; null until it was asked for" }),
  changed_at: OptionalTime,
  synced_at: OptionalTime.annotate({ description: "When ESI was asked last" }),
  next_sync_at: Schema.String.annotate({ description: "Not before then: ESI says how long an answer holds" })
}).annotate({ identifier: "CharacterData" })

export const CharacterChange = Schema.Struct({
  id: Schema.Int,
  character_id: Schema.Int,
  kind,
  change: Schema.String.annotate({ description: "Such as skill_done or order_filled" }),
  at: Schema.String.annotate({ description: "When it happened, as far as ESI tells; else when it was noticed" }),
  noticed_at: Schema.String,
  data: Schema.Record(Schema.String, Schema.Json)
}).annotate({ identifier: "CharacterChange" })

const summary = (text: string) => OpenApi.annotations({ summary: text })

const shown = {
  params: idParams,
  success: [Shown, HttpApiSchema.Empty(304)],
  error: [NotFound, Unavailable]
} as const

export class CharacterDataApi extends HttpApiGroup.make("characterData")
  .add(
    HttpApiEndpoint.get("skills", "/skills", shown)
      .annotateMerge(summary("What the character knows, and what it trains")),
    HttpApiEndpoint.get("mail", "/mail", shown).annotateMerge(summary("Headers of its 50 newest mails")),
    HttpApiEndpoint.get("orders", "/orders", shown)
      .annotateMerge(summary("Its market orders, and those that were cancelled or expired")),
    HttpApiEndpoint.get("industry", "/industry", shown)
      .annotateMerge(summary("Its industry jobs that were not delivered yet")),
    HttpApiEndpoint.get("planets", "/planets", shown).annotateMerge(summary("Its colonies, with their pins")),
    HttpApiEndpoint.get("changes", "/changes", {
      params: idParams,
      query: {
        kind: Schema.optionalKey(kind.annotate({ description: "All kinds unless told" })),
        limit: pageLimit,
        cursor: Schema.optionalKey(
          Schema.FiniteFromString.check(
            Schema.isInt(),
            Schema.isGreaterThanOrEqualTo(1),
            Schema.isLessThanOrEqualTo(Number.MAX_SAFE_INTEGER)
          ).annotate({ description: "The `next_cursor` of the page before" })
        )
      },
      success: listOf(CharacterChange),
      error: [NotFound, Unavailable]
    }).annotateMerge(summary("What changed in all of it within 180 days, newest first"))
  )
  .middleware(SignedIn)
  .prefix("/api/v1/me/characters/:id")
{}
