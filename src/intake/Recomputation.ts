/** Killmails appraised once more: what is stored beside what would be now, and our words beside zKillboard's. */
import { Effect } from "effect"
import { compare, type ComparedField, comparedFields, type Comparison, type Said } from "../domain/Agreement.ts"
import { toEsi } from "../domain/Document.ts"
import { iskNumber } from "../domain/Isk.ts"
import type { Appraisal } from "../domain/Judgement.ts"
import { StaticData } from "../static-data/StaticData.ts"
import { type CheckedRow, DataChecks } from "../store/DataChecks.ts"
import type { KillmailKey } from "../store/Revaluations.ts"
import { Appraiser } from "./Appraiser.ts"

/** How often one field is as zKillboard has it. */
export interface FieldAgreement {
  readonly field: ComparedField
  agree: number
  differ: number
  /** Differs, and ours lacks a price. */
  unpriced: number
}

/** Why a field differs, with the first killmail of which it does. */
export interface Cause {
  readonly field: ComparedField
  readonly cause: string
  killmails: number
  readonly example: { readonly killmail_id: number; readonly ours: string; readonly theirs: string }
}

export interface Recomputation {
  killmails: number
  /** Never appraised at all. */
  readonly unvalued: Array<number>
  /** Stored otherwise than it would be now. */
  readonly stale: Array<number>
  /** Appraised without some of the static data. */
  provisional: number
  /** That hold a type without a price. */
  unpriced: number
  readonly agreement: ReadonlyArray<FieldAgreement>
  readonly causes: Map<string, Cause>
}

export const beginRecomputation = (): Recomputation => ({
  killmails: 0,
  unvalued: [],
  stale: [],
  provisional: 0,
  unpriced: 0,
  agreement: comparedFields.map((field) => ({ field, agree: 0, differ: 0, unpriced: 0 })),
  causes: new Map()
})

/** Adds these killmails. */
export const recompute = Effect.fnUntraced(function*(keys: ReadonlyArray<KillmailKey>, found: Recomputation) {
  const rows = yield* (yield* DataChecks).read(keys)
  const appraisals = yield* (yield* Appraiser).appraiseAll(rows.map(toEsi))
  for (const [index, row] of rows.entries()) {
    const appraisal = appraisals[index]!
    found.killmails++
    const said = saidIn(row)
    if (said === undefined) {
      found.unvalued.push(row.killmail_id)
      continue
    }
    if (said.unpriced_items > 0) found.unpriced++
    if (isStale(row, appraisal)) found.stale.push(row.killmail_id)
    if (row.valuation_version === null) found.provisional++
    else yield* noteAgreement(row, compare(said, row.zkb), appraisal, found)
  }
})

const saidIn = (row: CheckedRow): Said | undefined =>
  row.total_value === null ? undefined : {
    npc: row.is_npc ?? false,
    solo: row.is_solo ?? false,
    awox: row.is_awox ?? false,
    points: row.points ?? 0,
    total_value: row.total_value,
    unpriced_items: row.unpriced_items ?? 0,
    labels: row.labels ?? []
  }

const isStale = (row: CheckedRow, { awox, labels, npc, points, solo, valuation }: Appraisal): boolean =>
  String([
    row.destroyed_value,
    row.dropped_value,
    row.fitted_value,
    row.total_value,
    row.unpriced_items,
    row.points,
    row.is_npc,
    row.is_solo,
    row.is_awox,
    row.labels
  ]) !== String([
    iskNumber(valuation.destroyed),
    iskNumber(valuation.dropped),
    iskNumber(valuation.fitted),
    iskNumber(valuation.total),
    valuation.unpriced_items,
    points,
    npc,
    solo,
    awox,
    labels
  ])

const noteAgreement = Effect.fnUntraced(function*(
  row: CheckedRow,
  comparisons: ReadonlyArray<Comparison>,
  appraisal: Appraisal,
  { agreement, causes }: Recomputation
) {
  for (const comparison of comparisons) {
    const { field, ours, theirs, verdict } = comparison
    agreement.find((each) => each.field === field)![verdict]++
    if (verdict === "agree") continue
    const cause = yield* causeOf(row, comparison, appraisal)
    const example = { killmail_id: row.killmail_id, ours: String(ours), theirs: String(theirs) }
    const known = causes.get(`${field} ${cause}`)
    if (known === undefined) causes.set(`${field} ${cause}`, { field, cause, killmails: 1, example })
    else known.killmails++
  }
})

/** What killmails that differ may have in common. */
const causeOf = Effect.fnUntraced(function*(
  { victim_ship_type_id }: CheckedRow,
  { field, ours, theirs, verdict }: Comparison,
  { valuation: { lines } }: Appraisal
) {
  const staticData = yield* StaticData
  const nameOf = (typeId: number) =>
    Effect.map(staticData.names([typeId]), (names) => names.get(typeId) ?? `type ${typeId}`)
  switch (field) {
    case "total_value": {
      const unpriced = lines.find((line) => line.unpriced.length > 0)?.unpriced[0]
      if (verdict === "unpriced" && unpriced !== undefined) return `no price of ${yield* nameOf(unpriced)}`
      const dearest = lines.toSorted((a, b) => worthOf(b) - worthOf(a))[0]!
      return `most of it is ${yield* nameOf(dearest.item_type_id)} (${dearest.rule})`
    }
    case "labels": {
      const [our, their] = [ours, theirs].map((labels) => new Set(labels as ReadonlyArray<string>))
      const [more, less] = [our!.difference(their!), their!.difference(our!)]
      return [...[...more].map((label) => `+${label}`), ...[...less].map((label) => `-${label}`)].join(" ")
    }
    default:
      return `the loss of a ${yield* nameOf(victim_ship_type_id)}`
  }
})

const worthOf = ({ price, quantity_destroyed, quantity_dropped }: Appraisal["valuation"]["lines"][number]): number =>
  iskNumber(price) * (quantity_destroyed + quantity_dropped)
