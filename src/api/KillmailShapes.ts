/** Killmails as the interface shows them. */
import { Schema } from "effect"
import { Attacker, Killmail, KillmailHash } from "../domain/Killmail.ts"
import { NamesById } from "./Shapes.ts"

export const Value = Schema.Struct({
  destroyed: Schema.Finite,
  dropped: Schema.Finite,
  fitted: Schema.Finite,
  total: Schema.Finite,
  unpriced_items: Schema.Int
}).annotate({ identifier: "Value", description: "In ISK, at the prices of the day of the kill" })

const Damage = Schema.Struct({
  id: Schema.Int,
  damage_done: Schema.Finite,
  share: Schema.Finite.annotate({ description: "Of all damage done by attackers, 0 to 1" })
}).annotate({ identifier: "Damage" })

const Analysis = Schema.Struct({
  attacker_count: Schema.Int,
  final_blow: Schema.NullOr(Attacker),
  characters: Schema.Array(Damage),
  corporations: Schema.Array(Damage),
  alliances: Schema.Array(Damage)
}).annotate({ identifier: "Analysis", description: "Who did how much of the damage, most first" })

/** What killmaild knows of a killmail besides ESI's body. */
const knowledge = {
  hash: KillmailHash,
  sequence: Schema.NullOr(Schema.Int).annotate({ description: "Number of the publication; null for imported history" }),
  value: Schema.NullOr(Value),
  points: Schema.NullOr(Schema.Int),
  npc: Schema.NullOr(Schema.Boolean),
  solo: Schema.NullOr(Schema.Boolean),
  awox: Schema.NullOr(Schema.Boolean),
  labels: Schema.NullOr(Schema.Array(Schema.String)),
  names: NamesById
}

export const KillmailDocument = Schema.Struct({ ...Killmail.fields, ...knowledge, analysis: Analysis })
  .annotate({ identifier: "KillmailDocument" })

/** A killmail in a list: without items and attackers, unless they are asked for. */
export const KillmailSummary = Schema.Struct({
  ...Killmail.fields,
  attackers: Schema.optionalKey(Killmail.fields.attackers).annotateKey({ description: "With include=attackers" }),
  attacker_count: Schema.Int,
  final_blow: Schema.NullOr(Attacker),
  ...knowledge
}).annotate({ identifier: "KillmailSummary" })
