/**
 * One killmail of a day: ESI's body as JSON, with the killmail's hash inside or in a list. It is checked by the rules of the
 * live walk; what does not hold goes there, to be asked of ESI, or is refused with one sentence.
 */
import { Option, Result, Schema } from "effect"
import type { Member } from "../archives/TarBz2.ts"
import { hashOf, Id, isPlausibleTime, Killmail, KillmailHash, type KillmailRef } from "../domain/Killmail.ts"
import type { RefusedMember } from "../store/Imports.ts"

export type Read =
  | { readonly kind: "killmail"; readonly killmail: Killmail; readonly hash: string }
  /** Its id and hash are known, and its body is not what they say: ESI's is. */
  | { readonly kind: "doubtful"; readonly ref: KillmailRef; readonly error: string }
  /** It is listed, without a body. */
  | { readonly kind: "bodiless"; readonly ref: KillmailRef }
  | { readonly kind: "refused"; readonly member: RefusedMember }

const decodeBody = Schema.decodeUnknownResult(Killmail)
const Named = Schema.Struct({ killmail_id: Id, killmail_hash: KillmailHash })
const decodeName = Schema.decodeUnknownOption(Named)

/** Characters; the largest fights have a few hundred thousand. Far more of JSON could take the memory of a whole thread. */
const longestBody = 4_000_000
/** Characters of a member that are kept of one that cannot be read. */
const longestText = 100_000

/** Of an archive. `now` in milliseconds since 1970. */
export const readMember = ({ bytes, name }: Member, now: number): Read => readBody(name, bytes.toString(), now)

/**
 * `listed` is what a list calls it; without one it is what the text says beside the body. Those that name no hash are taken
 * by their word: it follows from the body.
 */
export const readBody = (name: string, text: string, now: number, listed?: KillmailRef): Read => {
  const refused = (reason: RefusedMember["reason"], problem: string): Read => ({
    kind: "refused",
    member: { member: name, reason, error: `member ${name} ${problem}.`, text: text.slice(0, longestText) }
  })
  if (text.length > longestBody) {
    return listed === undefined
      ? refused("undecodable", `has ${text.length} characters, wants a killmail`)
      : bodiless(listed)
  }
  const parsed = Result.try(() => JSON.parse(text) as { readonly killmail_hash?: unknown })
  if (Result.isFailure(parsed)) return listed === undefined ? refused("undecodable", "is not JSON") : bodiless(listed)
  const body = decodeBody(parsed.success)
  const told = listed ?? toldIn(parsed.success)
  if (Result.isFailure(body)) {
    return told === undefined
      ? refused("undecodable", "holds no killmail")
      : { kind: "doubtful", ref: told, error: `member ${name} is no killmail as ESI describes it` }
  }
  const killmail = body.success
  if (!isPlausibleTime(killmail.killmail_time, now)) {
    return refused("implausible_time", `has the time ${killmail.killmail_time}, wants one since EVE opened`)
  }
  const hash = hashOf(killmail)
  const isNamed = listed !== undefined || parsed.success.killmail_hash !== undefined
  if (!isNamed || (told?.hash === hash && told.killmail_id === killmail.killmail_id)) {
    return { kind: "killmail", killmail, hash }
  }
  return told === undefined
    ? refused("undecodable", "has a hash that is none")
    : { kind: "doubtful", ref: told, error: `member ${name} does not fit its hash` }
}

export const bodiless = (ref: KillmailRef): Read => ({ kind: "bodiless", ref })

const toldIn = (parsed: unknown): KillmailRef | undefined => {
  const named = Option.getOrUndefined(decodeName(parsed))
  return named && { killmail_id: named.killmail_id, hash: named.killmail_hash }
}
