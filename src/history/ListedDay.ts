/**
 * A day as zKillboard or EVE-KILL list it: the hashes of its killmails by id, and the bodies that they have. For the others
 * ESI is asked.
 */
import { Schema } from "effect"
import { Id, KillmailHash } from "../domain/Killmail.ts"
import { bodiesIn } from "../upstreams/ZkbHistory.ts"
import { bodiless, type Read, readBody } from "./ArchivedKillmail.ts"

export interface ListedDay {
  readonly hashes: Readonly<Record<string, string>>
  /** `{"137259365": {…}, …}` as JSON, where there is any. */
  readonly bodies: Uint8Array | undefined
}

const isId = Schema.is(Id)
const isHash = Schema.is(KillmailHash)

/** All killmails of the day, those with bodies first. `now` in milliseconds since 1970. */
export function* readListed({ bodies, hashes }: ListedDay, now: number): Generator<Read> {
  const left = new Map<number, string>()
  for (const [id, hash] of Object.entries(hashes)) if (isId(Number(id)) && isHash(hash)) left.set(Number(id), hash)
  for (const { killmail_id, text } of bodies === undefined ? [] : bodiesIn(bodies)) {
    const hash = left.get(killmail_id)
    left.delete(killmail_id)
    yield readBody(String(killmail_id), text, now, hash === undefined ? undefined : { killmail_id, hash })
  }
  for (const [killmail_id, hash] of left) yield bodiless({ killmail_id, hash })
}
