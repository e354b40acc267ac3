/** What an appraisal says, as columns of `killmails`. */
import type { SqlClient } from "effect/sql"
import { type Isk, iskText } from "../domain/Isk.ts"
import type { Appraisal } from "../domain/Judgement.ts"
import { type Valuation, valuationVersion } from "../domain/Valuation.ts"
import { pgArray, pgColumn } from "./PgArray.ts"

/** And `labels`, which goes in as text: an array of arrays would have to be rectangular. */
export const appraisalColumns = `location_id, destroyed_value, dropped_value, fitted_value, total_value, unpriced_items,
  valuation_version, points, is_npc, is_solo, is_awox`

/** Columns for `unnest`, `labels` last. */
export const appraisalArrays = (sql: SqlClient.SqlClient, appraisals: ReadonlyArray<Appraisal>) => {
  const isk = (pick: (valuation: Valuation) => Isk) =>
    pgColumn(appraisals, (appraisal) => iskText(pick(appraisal.valuation)))
  return sql`
    ${pgColumn(appraisals, (appraisal) => appraisal.locationId)}::bigint[],
    ${isk(({ destroyed }) => destroyed)}::numeric[],
    ${isk(({ dropped }) => dropped)}::numeric[],
    ${isk(({ fitted }) => fitted)}::numeric[],
    ${isk(({ total }) => total)}::numeric[],
    ${pgColumn(appraisals, (appraisal) => appraisal.valuation.unpriced_items)}::integer[],
    ${pgColumn(appraisals, (appraisal) => appraisal.isProvisional ? null : valuationVersion)}::integer[],
    ${pgColumn(appraisals, (appraisal) => appraisal.points)}::integer[],
    ${pgColumn(appraisals, (appraisal) => appraisal.npc)}::boolean[],
    ${pgColumn(appraisals, (appraisal) => appraisal.solo)}::boolean[],
    ${pgColumn(appraisals, (appraisal) => appraisal.awox)}::boolean[],
    ${pgColumn(appraisals, (appraisal) => pgArray(appraisal.labels))}::text[]`
}
