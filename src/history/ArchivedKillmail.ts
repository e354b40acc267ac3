/**
 * One member of a day archive: ESI's body as JSON, with the killmail's hash beside it. It is checked by the rules of the
 * live walk; what does not hold goes there, to be asked of ESI, or is refused with one sentence.
 */
import { Result, Schema } from "effect"
import type { Member } from "../archives/TarBz2.ts"
import { hashOf, Id, isPlausibleTime, Killmail, KillmailHash, type KillmailRef } from "../domain/Killmail.ts"
import type { RefusedMember } from "../store/Imports.ts"

export type Read =
  | { readonly kind: "killmail"; readonly killmail: Killmail; readonly hash: string }
  /** Its id and hash are known, and its body is not what they say: ESI's is. */
  | { readonly kind: "doubtful"; readonly ref: KillmailRef; readonly error: string }
  | { readonly kind: "refused"; readonly member: RefusedMember }

const decodeBody = Schema.decodeUnknownResult(Killmail)
const Named = Schema.Struct({ killmail_id: Id, killmail_hash: KillmailHash })
const decodeName = Schema.decodeUnknownResult(Named)

/** Characters of a member that are kept of one that cannot be read. */
const longestText = 100_000

/** `now` in milliseconds since 1970. Archives that name no hash are taken by their word: it follows from the body. */
export const readMember = ({ bytes, name }: Member, now: number): Read => {
  const text = bytes.toString()
  const refused = (reason: RefusedMember["reason"], problem: string): Read => ({
    kind: "refused",
    member: { member: name, reason, error: `member ${name} ${problem}.`, text: text.slice(0, longestText) }
  })
  const parsed = Result.try(() => JSON.parse(text) as { readonly killmail_hash?: unknown })
  if (Result.isFailure(parsed)) return refused("undecodable", "is not JSON")
  const body = decodeBody(parsed.success)
  const told = decodeName(parsed.success)
  if (Result.isFailure(body)) {
    return Result.isSuccess(told)
      ? doubtful(told.success, `member ${name} is no killmail as ESI describes it`)
      : refused("undecodable", "holds no killmail")
  }
  const killmail = body.success
  if (!isPlausibleTime(killmail.killmail_time, now)) {
    return refused("implausible_time", `has the time ${killmail.killmail_time}, wants one since EVE opened`)
  }
  const hash = hashOf(killmail)
  if (parsed.success.killmail_hash === undefined || parsed.success.killmail_hash === hash) {
    return { kind: "killmail", killmail, hash }
  }
  return Result.isSuccess(told)
    ? doubtful(told.success, `member ${name} does not fit its hash`)
    : refused("undecodable", "has a hash that is none")
}

const doubtful = ({ killmail_hash, killmail_id }: typeof Named.Type, error: string): Read => ({
  kind: "doubtful",
  ref: { killmail_id, hash: killmail_hash },
  error
})
