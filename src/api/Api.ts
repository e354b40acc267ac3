/** The HTTP interface as a contract: endpoints, shapes and errors. Handlers are elsewhere. */
import { Schema } from "effect"
import {
  HttpApi,
  HttpApiEndpoint,
  HttpApiError,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSchema,
  HttpApiSecurity,
  OpenApi
} from "effect/http-api"
import { Attacker, Id, Killmail, KillmailHash } from "../domain/Killmail.ts"
import { version } from "../Settings.ts"

export class NotFound extends HttpApiError.Problem<NotFound>()("NotFound", {
  type: "about:blank",
  status: 404,
  title: "Not Found"
}) {}

export class Unauthorized extends HttpApiError.Problem<Unauthorized>()("Unauthorized", {
  type: "about:blank",
  status: 401,
  title: "Unauthorized"
}) {}

export class BadRequest extends HttpApiError.Problem<BadRequest>()("BadRequest", {
  type: "about:blank",
  status: 400,
  title: "Bad Request"
}) {}

export class Conflict extends HttpApiError.Problem<Conflict>()("Conflict", {
  type: "about:blank",
  status: 409,
  title: "Conflict"
}) {}

export class Unavailable extends HttpApiError.Problem<Unavailable>()("Unavailable", {
  type: "about:blank",
  status: 503,
  title: "Service Unavailable"
}) {}

/** Lets in whoever shows the admin token as a bearer token. */
export class Operator extends HttpApiMiddleware.Service<Operator>()("killmaild/api/Operator", {
  security: { bearer: HttpApiSecurity.bearer },
  error: Unauthorized
}) {}

const Value = Schema.Struct({
  destroyed: Schema.Finite,
  dropped: Schema.Finite,
  fitted: Schema.Finite,
  total: Schema.Finite,
  unpriced_items: Schema.Int
}).annotate({ description: "In ISK, at the prices of the day of the kill" })

const Damage = Schema.Struct({
  id: Schema.Int,
  damage_done: Schema.Finite,
  share: Schema.Finite.annotate({ description: "Of all damage done by attackers, 0 to 1" })
})

const Analysis = Schema.Struct({
  attacker_count: Schema.Int,
  final_blow: Schema.NullOr(Attacker),
  characters: Schema.Array(Damage),
  corporations: Schema.Array(Damage),
  alliances: Schema.Array(Damage)
}).annotate({ description: "Who did how much of the damage, most first" })

const KillmailDocument = Schema.Struct({
  ...Killmail.fields,
  hash: KillmailHash,
  sequence: Schema.NullOr(Schema.Int).annotate({ description: "Number of the publication; null for imported history" }),
  value: Schema.NullOr(Value),
  points: Schema.NullOr(Schema.Int),
  npc: Schema.NullOr(Schema.Boolean),
  solo: Schema.NullOr(Schema.Boolean),
  awox: Schema.NullOr(Schema.Boolean),
  labels: Schema.NullOr(Schema.Array(Schema.String)),
  analysis: Analysis,
  names: Schema.Record(Schema.String, Schema.String)
}).annotate({ identifier: "KillmailDocument" })

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

/** A killmail to fetch: what names it to ESI, or its address there. */
const Submission = Schema.Union([
  Schema.Struct({ killmail_id: Id, hash: Schema.String.check(Schema.isPattern(/^[0-9a-fA-F]{40}$/)) }),
  Schema.Struct({ url: Schema.String })
])

const Submitted = Schema.Struct({
  killmail_id: Schema.Int,
  hash: Schema.String,
  status: Schema.Literals(["queued", "known", "refused_before"])
}).annotate({ identifier: "Submitted" })

const params = { id: Id }

export class KillmailsApi extends HttpApiGroup.make("killmails")
  .add(
    HttpApiEndpoint.get("byId", "/:id", { params, success: KillmailDocument, error: [NotFound, Unavailable] })
      .annotateMerge(OpenApi.annotations({ summary: "One killmail: ESI's body and what killmaild knows besides" })),
    HttpApiEndpoint.get("esi", "/:id/esi", { params, success: Killmail, error: [NotFound, Unavailable] })
      .annotateMerge(OpenApi.annotations({ summary: "One killmail's body as ESI gives it" })),
    HttpApiEndpoint.get("valuation", "/:id/valuation", { params, success: Valuation, error: [NotFound, Unavailable] })
      .annotateMerge(
        OpenApi.annotations({
          summary: "What each item was worth at the prices known now: price, day, source and rule"
        })
      ),
    HttpApiEndpoint.post("submit", "/", {
      payload: Submission,
      success: Submitted.pipe(HttpApiSchema.status(202)),
      error: [BadRequest, Unavailable]
    }).middleware(Operator)
      .annotateMerge(
        OpenApi.annotations({
          summary: "Names a killmail by id and hash, or by its ESI address, of which only these two are read"
        })
      )
  )
  .prefix("/api/v1/killmails")
{}

/** Null is what is not known, or not there. */
const OptionalId = Schema.NullOr(Schema.Int)
const OptionalText = Schema.NullOr(Schema.String)

const Names = Schema.Record(Schema.String, Schema.String)

const entity = {
  seen_at: OptionalText.annotate({
    description: "Of the newest killmail, or of ESI's answer: what stands here was so then"
  }),
  refreshed_at: OptionalText.annotate({ description: "When ESI told the name" }),
  deleted_at: OptionalText.annotate({ description: "Since when it is deleted, closed, or unknown to ESI" })
}

const CharacterGroup = Schema.Struct({ main_character_id: Schema.Int, alts: Schema.Array(Schema.Int) })
  .annotate({ identifier: "CharacterGroup" })

const Character = Schema.Struct({
  character_id: Schema.Int,
  name: OptionalText,
  corporation_id: OptionalId,
  alliance_id: OptionalId,
  faction_id: OptionalId,
  security_status: Schema.NullOr(Schema.Finite),
  group: Schema.NullOr(CharacterGroup),
  ...entity,
  names: Names
}).annotate({ identifier: "Character" })

const Corporation = Schema.Struct({
  corporation_id: Schema.Int,
  name: OptionalText,
  ticker: OptionalText,
  alliance_id: OptionalId,
  faction_id: OptionalId,
  ...entity,
  names: Names
}).annotate({ identifier: "Corporation" })

const Alliance = Schema.Struct({
  alliance_id: Schema.Int,
  name: OptionalText,
  ticker: OptionalText,
  ...entity
}).annotate({ identifier: "Alliance" })

export class EntitiesApi extends HttpApiGroup.make("entities")
  .add(
    HttpApiEndpoint.get("character", "/characters/:id", { params, success: Character, error: [NotFound, Unavailable] })
      .annotateMerge(OpenApi.annotations({ summary: "A character that was seen on a killmail" })),
    HttpApiEndpoint.get("corporation", "/corporations/:id", {
      params,
      success: Corporation,
      error: [NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "A corporation that was seen on a killmail, or an NPC's" })),
    HttpApiEndpoint.get("alliance", "/alliances/:id", { params, success: Alliance, error: [NotFound, Unavailable] })
      .annotateMerge(OpenApi.annotations({ summary: "An alliance that was seen on a killmail" })),
    HttpApiEndpoint.put("setGroup", "/character-groups/:id", {
      params,
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

const listOf = <S extends Schema.Top>(item: S) =>
  Schema.Struct({ data: Schema.Array(item), next_cursor: Schema.NullOr(Schema.String) })

export class SystemApi extends HttpApiGroup.make("system")
  .add(
    HttpApiEndpoint.get("feeds", "/feeds", { success: listOf(Feed), error: Unavailable })
      .annotateMerge(OpenApi.annotations({ summary: "Where killmails are heard of, and how far each feed was read" })),
    HttpApiEndpoint.get("queue", "/queue", { success: listOf(TaskStats), error: Unavailable }).middleware(Operator)
      .annotateMerge(OpenApi.annotations({ summary: "Jobs by task and priority" }))
  )
  .prefix("/api/v1")
{}

export class Api extends HttpApi.make("killmaild")
  .add(KillmailsApi)
  .add(EntitiesApi)
  .add(SystemApi)
  .middleware(HttpApiMiddleware.ProblemDetails)
  .annotateMerge(OpenApi.annotations({
    title: "killmaild",
    version,
    description: "Your own copy of EVE Online's killmails. Errors are RFC 9457 problem details."
  }))
{}
