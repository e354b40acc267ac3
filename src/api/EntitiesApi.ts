/** The contract for characters, corporations and alliances. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Id } from "../domain/Killmail.ts"
import { BadRequest, Conflict, NotFound, Operator, Unavailable } from "./ApiErrors.ts"
import { idParams, NamesById } from "./Shapes.ts"

/** Null is what is not known, or not there. */
const OptionalId = Schema.NullOr(Schema.Int)
const OptionalText = Schema.NullOr(Schema.String)

const entity = {
  seen_at: OptionalText.annotate({
    description: "Of the newest killmail, or of ESI's answer: what stands here was so then"
  }),
  refreshed_at: OptionalText.annotate({ description: "When ESI told the name" }),
  deleted_at: OptionalText.annotate({ description: "Since when it is deleted, closed, or unknown to ESI" })
}

const CharacterGroup = Schema.Struct({ main_character_id: Schema.Int, alts: Schema.Array(Schema.Int) })
  .annotate({ identifier: "CharacterGroup" })

export const Character = Schema.Struct({
  character_id: Schema.Int,
  name: OptionalText,
  corporation_id: OptionalId,
  alliance_id: OptionalId,
  faction_id: OptionalId,
  security_status: Schema.NullOr(Schema.Finite),
  group: Schema.NullOr(CharacterGroup),
  ...entity,
  names: NamesById
}).annotate({ identifier: "Character" })

export const Corporation = Schema.Struct({
  corporation_id: Schema.Int,
  name: OptionalText,
  ticker: OptionalText,
  alliance_id: OptionalId,
  faction_id: OptionalId,
  ...entity,
  names: NamesById
}).annotate({ identifier: "Corporation" })

export const Alliance = Schema.Struct({
  alliance_id: Schema.Int,
  name: OptionalText,
  ticker: OptionalText,
  ...entity
}).annotate({ identifier: "Alliance" })

export class EntitiesApi extends HttpApiGroup.make("entities")
  .add(
    HttpApiEndpoint.get("character", "/characters/:id", {
      params: idParams,
      success: Character,
      error: [NotFound, Unavailable]
    })
      .annotateMerge(OpenApi.annotations({ summary: "A character that was seen on a killmail" })),
    HttpApiEndpoint.get("corporation", "/corporations/:id", {
      params: idParams,
      success: Corporation,
      error: [NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "A corporation that was seen on a killmail, or an NPC's" })),
    HttpApiEndpoint.get("alliance", "/alliances/:id", {
      params: idParams,
      success: Alliance,
      error: [NotFound, Unavailable]
    })
      .annotateMerge(OpenApi.annotations({ summary: "An alliance that was seen on a killmail" })),
    HttpApiEndpoint.put("setGroup", "/character-groups/:id", {
      params: idParams,
      payload: Schema.Struct({ alts: Schema.Array(Id).check(Schema.isMaxLength(1000)) }),
      success: CharacterGroup,
      error: [BadRequest, Conflict, Unavailable]
    }).middleware(Operator)
      .annotateMerge(
        OpenApi.annotations({ summary: "The alts of the main with this id, all of them; none dissolves the group" })
      )
  )
  .prefix("/api/v1")
{}
