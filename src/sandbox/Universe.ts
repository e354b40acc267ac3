/**
 * What has happened in New Eden by now, as the upstreams see it: the one source behind ESI, R2Z2 and RedisQ, so that they
 * agree with each other. `Clockwork.ts`, `Stage.ts` and `Corpus.ts` implement it.
 */
import type { Killmail } from "../domain/Killmail.ts"
import type { Mail } from "./World.ts"

/** One number of R2Z2: a file, or a number that stays 404 for ever. */
export type R2z2File = { readonly text: string; readonly mail: Mail | undefined } | "hole"

export interface Universe {
  /** Files are numbered from `first` up. */
  readonly first: number
  /** The newest number, at this instant; one less than `first` while there is none. */
  readonly head: (now: number) => number
  /** The oldest number that is still kept. */
  readonly oldest: (now: number) => number
  /** A file between `oldest` and `head`; `stale` is the copy from before it was rewritten. */
  readonly file: (sequence: number, now: number, stale: boolean) => R2z2File
  /** What ESI knows of this id: the mail under each of its hashes. Empty for an id that does not exist. */
  readonly known: (killmailId: number, now: number) => ReadonlyMap<string, Killmail>
  /** A consumer came: the corpus begins to play. */
  readonly consumerCame: (now: number) => void
}

/** The newest mails that were told, up to 1,000, the newest first. */
export const newestMailsOf = (universe: Universe): (now: number) => ReadonlyArray<Mail> => {
  let head = universe.first - 1
  let mails: ReadonlyArray<Mail> = []
  return (now) => {
    if (universe.head(now) === head) return mails
    head = universe.head(now)
    mails = Array.from({ length: Math.min(1_000, head - universe.first + 1) }, (_, back) => {
      const file = universe.file(head - back, now, false)
      return file === "hole" || file.mail === undefined ? [] : [file.mail]
    }).flat()
    return mails
  }
}

/** An R2Z2 file as it is uploaded. `null` ids are placeholders for mails that were withdrawn. */
export interface R2z2Entry {
  readonly esi: Killmail
  /** Computed when absent. */
  readonly hash?: string
  readonly zkb?: object
  /** Seconds since 1970; now when absent. */
  readonly uploaded_at?: number
  /** An older sequence whose file has been rewritten. */
  readonly sequence_updated?: number
}

export const fileText = (mail: Mail, sequence: number, uploadedAt: number, updated?: number): string =>
  JSON.stringify({
    killmail_id: mail.killmail.killmail_id,
    hash: mail.hash,
    esi: mail.killmail,
    zkb: mail.zkb,
    uploaded_at: uploadedAt,
    sequence_id: sequence,
    ...(updated === undefined ? {} : { sequence_updated: updated })
  })

export const placeholderText = (sequence: number, uploadedAt: number): string =>
  JSON.stringify({
    killmail_id: null,
    hash: null,
    esi: null,
    zkb: null,
    uploaded_at: uploadedAt,
    sequence_id: sequence
  })
