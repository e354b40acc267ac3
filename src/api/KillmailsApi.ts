/** The contract of `/api/v1/killmails`. */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Id, Killmail } from "../domain/Killmail.ts"
import { BadRequest, Contributor, NotFound, Unavailable } from "./ApiErrors.ts"
import { KillmailDocument, Value } from "./KillmailShapes.ts"
import { idParams } from "./Shapes.ts"

/** One item of a killmail, or its hull, and why it was worth what it was. */
const ValuedItem = Schema.Struct({
  ordinal: Schema.NullOr(Schema.Int).annotate({ description: "As items count, depth first; null is the hull" }),
  parent_ordinal: Schema.NullOr(Schema.Int).annotate({ description: "Of the container that holds it" }),
  item_type_id: Schema.Int,
  flag: Schema.NullOr(Schema.Int),
  quantity_dropped: Schema.Int,
  quantity_destroyed: Schema.Int,
  price: Schema.Finite.annotate({ description: "ISK a unit" }),
  rule: Schema.String,
  day: Schema.NullOr(Schema.String).annotate({ description: "Of the newest average that counts" }),
  source: Schema.NullOr(Schema.String),
  unpriced: Schema.Array(Schema.Int).annotate({ description: "Types without a price: the item's own, or materials" })
})

const Valuation = Schema.Struct({
  killmail_id: Schema.Int,
  day: Schema.String.annotate({ description: "Whose prices count" }),
  version: Schema.Int.annotate({ description: "Of the rules" }),
  value: Value,
  items: Schema.Array(ValuedItem)
}).annotate({ identifier: "Valuation" })

const GivenHash = Schema.String.check(Schema.isPattern(/^[0-9a-fA-F]{40}$/u, { expected: "40 hex digits" }))

/** A killmail to fetch: what names it to ESI, or its address there. */
const Submission = Schema.Union([
  Schema.Struct({ killmail_id: Id, hash: GivenHash }),
  Schema.Struct({ url: Schema.String })
])

const Submitted = Schema.Struct({
  killmail_id: Schema.Int,
  hash: Schema.String,
  status: Schema.Literals(["queued", "known", "refused_before"])
}).annotate({ identifier: "Submitted" })

export class KillmailsApi extends HttpApiGroup.make("killmails")
  .add(
    HttpApiEndpoint.get("byId", "/:id", { params: idParams, success: KillmailDocument, error: [NotFound, Unavailable] })
      .annotateMerge(OpenApi.annotations({ summary: "One killmail: ESI's body and what killmaild knows besides" })),
    HttpApiEndpoint.get("esi", "/:id/esi", { params: idParams, success: Killmail, error: [NotFound, Unavailable] })
      .annotateMerge(OpenApi.annotations({ summary: "One killmail's body as ESI gives it" })),
    HttpApiEndpoint.get("valuation", "/:id/valuation", {
      params: idParams,
      success: Valuation,
      error: [NotFound, Unavailable]
    })
      .annotateMerge(
        OpenApi.annotations({
          summary: "What each item was worth at the prices known now: price, day, source and rule"
        })
      ),
    HttpApiEndpoint.post("submit", "/", {
      payload: Submission,
      success: Submitted.pipe(HttpApiSchema.status(202)),
      error: [BadRequest, Unavailable]
    }).middleware(Contributor)
      // Of a union each member would refuse the fields of the other.
      .annotate(HttpApi.PayloadParseOptions, {})
      .annotateMerge(
        OpenApi.annotations({
          summary: "Names a killmail by id and hash, or by its ESI address, of which only these two are read"
        })
      )
  )
  .prefix("/api/v1/killmails")
{}
