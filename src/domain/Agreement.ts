/** What zKillboard says of a killmail beside what we say, field by field. Pure. */
import { iskNumber } from "./Isk.ts"
import type { Appraisal } from "./Judgement.ts"

/** Our words. ISK is a number. */
export interface Said {
  readonly npc: boolean
  readonly solo: boolean
  readonly awox: boolean
  readonly points: number
  readonly total_value: number
  /** Types without a price, which the total lacks. */
  readonly unpriced_items: number
  readonly labels: ReadonlyArray<string>
}

export const comparedFields = ["npc", "solo", "awox", "points", "total_value", "labels"] as const
export type ComparedField = typeof comparedFields[number]

type Word = boolean | number | ReadonlyArray<string>

export interface Comparison {
  readonly field: ComparedField
  readonly ours: Word
  readonly theirs: Word
  /** `unpriced`: the totals differ, and ours lacks a price. */
  readonly verdict: "agree" | "differ" | "unpriced"
}

/** Nothing while it lacks static data: it says more when they arrive. */
export const saidBy = ({ isProvisional, valuation, ...judged }: Appraisal): Said | undefined =>
  isProvisional
    ? undefined
    : { ...judged, total_value: iskNumber(valuation.total), unpriced_items: valuation.unpriced_items }

/** Of the fields that both speak of. `zkb` is zKillboard's block as a feed brought it, or anything else. */
export const compare = (said: Said, zkb: unknown): ReadonlyArray<Comparison> => {
  const block = typeof zkb === "object" && zkb !== null ? zkb as Readonly<Record<string, unknown>> : {}
  const theirLabels = labelsIn(block["labels"])
  const ours = { ...said, labels: ourComparable(said.labels, theirLabels ?? []) }
  const theirs: Record<ComparedField, unknown> = {
    npc: block["npc"],
    solo: block["solo"],
    awox: block["awox"],
    points: block["points"],
    total_value: block["totalValue"],
    labels: theirLabels?.filter((label) => !notOurs.has(label)).toSorted()
  }
  return comparedFields.flatMap((field) => {
    const [our, their] = [ours[field], theirs[field]]
    if (!isAlike(our, their)) return []
    const differs = field === "total_value" && said.unpriced_items > 0 ? "unpriced" : "differ"
    return [{ field, ours: our, theirs: their, verdict: agree(our, their, field) ? "agree" : differs }]
  })
}

/** Whatever else a source says under the name says nothing. */
const isAlike = (ours: Word, theirs: unknown): theirs is Word =>
  theirs !== undefined && typeof theirs === typeof ours && Array.isArray(theirs) === Array.isArray(ours)

/** Totals may differ by so much: prices are edited for days after the kill. */
const tolerance = 0.01

const agree = (ours: Word, theirs: Word, field: ComparedField): boolean =>
  field === "total_value"
    ? Math.abs(Number(ours) - Number(theirs)) <= tolerance * Number(theirs)
    : String(ours) === String(theirs)

/** PHP writes a list with holes as an object. Blocks of years ago name labels otherwise, and none by the time of day. */
const labelsIn = (labels: unknown): ReadonlyArray<string> | undefined => {
  const list = typeof labels === "object" && labels !== null ? Object.values(labels) : []
  const read = list.filter((label) => typeof label === "string")
  return read.some((label) => label.startsWith("tz:")) ? read : undefined
}

/** They need other mails, which we do not look at. */
const notOurs: ReadonlySet<string> = new Set(["padding", "ganked"])

/** In one order. What was padded is no `pvp` to zKillboard. */
const ourComparable = (ours: ReadonlyArray<string>, theirs: ReadonlyArray<string>): ReadonlyArray<string> =>
  ours.filter((label) => label !== "pvp" || !theirs.includes("padding")).toSorted()
