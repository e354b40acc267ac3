/** The contract of lists of killmails: all of them, and those of a character, corporation or alliance. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { BadRequest, NotAcceptable, Unavailable } from "./ApiErrors.ts"
import { KillmailSummary } from "./KillmailShapes.ts"
import { filterQuery, idParams, Limit, listOf, someOf, usualLimit } from "./Shapes.ts"

const query = {
  ...filterQuery,
  limit: Schema.optionalKey(
    Limit.annotate({
      description: `Killmails of a page, ${usualLimit} unless told; CSV and NDJSON have all that fit unless told`
    })
  ),
  cursor: Schema.optionalKey(
    Schema.String.annotate({ description: "The `next_cursor` of the page before, with the same filter" })
  ),
  include: Schema.optionalKey(
    someOf(["items", "attackers"]).annotate({
      description: "`items`, `attackers` or `items,attackers`: what a list else leaves out"
    })
  )
}

const endpoint = {
  query,
  success: [
    listOf(KillmailSummary),
    Schema.String.pipe(HttpApiSchema.asText({ contentType: "application/x-ndjson" })),
    Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/csv" }))
  ],
  error: [BadRequest, NotAcceptable, Unavailable]
} as const

const summary = (text: string) => OpenApi.annotations({ summary: text })

export class KillmailListsApi extends HttpApiGroup.make("lists")
  .add(
    HttpApiEndpoint.get("all", "/killmails", endpoint)
      .annotateMerge(summary("Killmails that fit the filter, newest first: JSON, NDJSON or CSV")),
    HttpApiEndpoint.get("ofCharacter", "/characters/:id/killmails", { params: idParams, ...endpoint })
      .annotateMerge(summary("Kills and losses of a character, as in /api/v1/killmails")),
    HttpApiEndpoint.get("ofCorporation", "/corporations/:id/killmails", { params: idParams, ...endpoint })
      .annotateMerge(summary("Kills and losses of a corporation, as in /api/v1/killmails")),
    HttpApiEndpoint.get("ofAlliance", "/alliances/:id/killmails", { params: idParams, ...endpoint })
      .annotateMerge(summary("Kills and losses of an alliance, as in /api/v1/killmails"))
  )
  .prefix("/api/v1")
{}
