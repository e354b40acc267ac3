/** The manual world: nothing happens but what a test publishes. */
import { hashOf, type Killmail } from "../domain/Killmail.ts"
import { firstSequence } from "./Calendar.ts"
import { type R2z2Entry, type R2z2File, type Universe } from "./Universe.ts"
import { zkbOf } from "./Zkb.ts"

export type Publication = R2z2Entry | { readonly raw: string } | "hole"

export interface Stage extends Universe {
  /** Appends at the head; returns its number. */
  readonly publish: (publication: Publication) => number
  /** Puts another file in the place of one that was published. */
  readonly rewrite: (sequence: number, publication: Publication) => void
  /** Files older than this number are gone. */
  readonly expireBefore: (sequence: number) => void
}

export const stage = (): Stage => {
  const files: Array<R2z2File> = []
  const before = new Map<number, R2z2File>()
  let oldest = firstSequence
  const nothing: ReadonlyMap<string, Killmail> = new Map()
  const head = () => firstSequence + files.length - 1
  return {
    first: firstSequence,
    head,
    oldest: () => oldest,
    file: (sequence, _now, stale) =>
      (stale ? before.get(sequence) : undefined) ?? files[sequence - firstSequence] ?? "hole",
    known: () => nothing,
    consumerCame: () => {},
    publish: (publication) => {
      const sequence = firstSequence + files.length
      files.push(fileOf(publication, sequence))
      return sequence
    },
    rewrite: (sequence, publication) => {
      before.set(sequence, files[sequence - firstSequence] ?? "hole")
      files[sequence - firstSequence] = fileOf(publication, sequence)
    },
    expireBefore: (sequence) => {
      oldest = sequence
    }
  }
}

const fileOf = (publication: Publication, sequence: number): R2z2File => {
  if (publication === "hole") return "hole"
  if ("raw" in publication) return { text: publication.raw, mail: undefined }
  const hash = publication.hash ?? hashOf(publication.esi)
  const text = JSON.stringify({
    killmail_id: publication.esi.killmail_id,
    hash,
    zkb: zkbOf(publication.esi, hash),
    uploaded_at: Math.floor(Date.now() / 1000),
    ...publication,
    sequence_id: sequence
  })
  return { text, mail: undefined }
}
