/** What the rig lets R2Z2 publish, file by file: mails whole and in need of ESI, repeats, holes and poison. */
import { hashOf } from "../../src/domain/Killmail.ts"
import { keyOf } from "../../src/intake/Hearing.ts"
import { firstSequence } from "../../src/sandbox/Calendar.ts"
import { drawOf } from "../../src/sandbox/Random.ts"
import { killmailOf, type Mail } from "../../src/sandbox/World.ts"

export const feed = "r2z2"
/** Tells of most of the same killmails, in its own order and with its own numbers. */
export const secondFeed = "evekill"

/** Whoever tells of one that is to be asked of ESI must not bring its body. */
export const feedsOf = ({ forEsi }: File): ReadonlyArray<string> => forEsi === undefined ? [feed, secondFeed] : [feed]

export interface Letter {
  readonly task: "ingest_killmail" | "feed"
  readonly key: string
  readonly reason: string
}

/** One number of R2Z2, and what has to become of it. */
export interface File {
  readonly sequence: number
  /** Undefined is a hole, which is to open a gap. */
  readonly text: string | undefined
  /** Whom a reader of it hears of. */
  readonly named?: number
  /** The job that this may cause. */
  readonly key?: string
  /** What is to be stored, once. */
  readonly mail?: Mail
  /** What ESI is to know, as the file does not bring its body, or not the true one. */
  readonly forEsi?: Mail
  /** The dead letter that it is to become. */
  readonly letter?: Letter
}

/** Shares of files. */
const withoutBody = 0.04
const withWrongBody = 0.01
const repeats = 0.01
const holes = 1 / 500
/** No hole so near the end: `sequence.json` lags, and would never be beyond it. */
const wholeEnd = 200

/** Killmails `0` to `killmails - 1` of this New Eden, each at least once, and some others that nobody can store. */
export function* filesOf(seed: string, killmails: number): Generator<File> {
  let sequence = firstSequence
  const poison = poisonOf(seed, killmails)
  for (let k = 0; k < killmails; k++) {
    const mail = killmailOf(seed, k)
    yield trueFile(sequence++, mail, drawOf(seed, "body", k))
    if (drawOf(seed, "repeat", k) < repeats) yield trueFile(sequence++, mail, 1)
    if (drawOf(seed, "hole", k) < holes && k < killmails - wholeEnd) yield hole(sequence++)
    if (k > 0 && k % Math.ceil(killmails / (poison.length + 1)) === 0) yield poison.shift()!(sequence++)
  }
}

/** As R2Z2 writes it. */
const textOf = ({ hash, killmail, zkb }: Mail, sequence: number, esi: unknown = killmail): string =>
  JSON.stringify({
    killmail_id: killmail.killmail_id,
    hash,
    esi,
    zkb,
    uploaded_at: Math.floor(Date.now() / 1000),
    sequence_id: sequence
  })

/** A mail that is to be stored; `draw` from 0 to 1 decides how much of its body comes along, 1 is all. */
export const trueFile = (sequence: number, mail: Mail, draw: number): File => {
  const { hash, killmail } = mail
  const needsEsi = draw < withoutBody + withWrongBody
  const wrong = { ...killmail, killmail_time: "2011-11-11T11:11:11Z" }
  const body = draw < withoutBody ? null : needsEsi ? wrong : killmail
  const key = keyOf({ killmail_id: killmail.killmail_id, hash })
  const text = textOf(mail, sequence, body)
  return { sequence, text, named: killmail.killmail_id, key, mail, ...(needsEsi ? { forEsi: mail } : {}) }
}

const hole = (sequence: number): File => ({ sequence, text: undefined })

export const unreadable = (sequence: number): File => ({
  sequence,
  text: "<html>",
  letter: { task: "feed", key: `r2z2:${sequence}`, reason: "undecodable" }
})

/** One of each kind that must end as a dead letter. */
const poisonOf = (seed: string, killmails: number): Array<(sequence: number) => File> => {
  const [unknown, misnamed, late] = [0, 1, 2].map((n) => killmailOf(seed, killmails + 100 + n)) as [Mail, Mail, Mail]
  const killmail = { ...late.killmail, killmail_time: "2037-03-07T00:00:00Z" }
  return [
    (sequence) => refused(sequence, unknown, null, "not_found"),
    (sequence) => refused(sequence, { ...late, killmail, hash: hashOf(killmail) }, killmail, "implausible_time"),
    unreadable,
    (sequence) => ({
      ...refused(sequence, { ...misnamed, hash: "0".repeat(40) }, null, "hash_mismatch"),
      forEsi: misnamed
    })
  ]
}

/** A mail that has to become a dead letter. */
export const refused = (sequence: number, mail: Mail, body: unknown, reason: string): File => {
  const named = mail.killmail.killmail_id
  const key = keyOf({ killmail_id: named, hash: mail.hash })
  return { sequence, text: textOf(mail, sequence, body), named, key, letter: { task: "ingest_killmail", key, reason } }
}
