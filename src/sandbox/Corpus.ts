/** The corpus world: real mails instead of generated ones, played from the first when the first consumer comes. */
import type { Killmail } from "../domain/Killmail.ts"
import { firstSequence } from "./Calendar.ts"
import type { CorpusMail } from "./CorpusFiles.ts"
import { fileText, type Universe } from "./Universe.ts"
import type { Mail } from "./World.ts"
import { zkbOf } from "./Zkb.ts"

/** Mails a second, times speed: what a careful client takes from R2Z2. */
const mailsPerSecond = 4

export const corpus = (mails: ReadonlyArray<CorpusMail>, speed: number): Universe => {
  const byId = new Map<number, Array<number>>()
  mails.forEach(({ killmailId }, index) => byId.set(killmailId, [...(byId.get(killmailId) ?? []), index]))
  let begun: number | undefined

  const head = (now: number): number =>
    firstSequence - 1 + (begun === undefined
      ? 0
      : Math.min(mails.length, Math.floor((now - begun) / 1000 * mailsPerSecond * speed)))

  const mailAt = (index: number): Mail => {
    const { hash, text, zkb } = mails[index]!
    const killmail = JSON.parse(text.toString()) as Killmail
    return {
      killmail,
      hash,
      zkb: { ...zkbOf(killmail, hash), ...(zkb === undefined ? {} : JSON.parse(zkb.toString())) }
    }
  }

  return {
    first: firstSequence,
    head,
    oldest: () => firstSequence,
    file: (sequence) => {
      const index = sequence - firstSequence
      const mail = mailAt(index)
      const uploadedAt = Math.floor(((begun ?? 0) + index / (mailsPerSecond * speed) * 1000) / 1000)
      return { text: fileText(mail, sequence, uploadedAt), mail }
    },
    known: (killmailId) =>
      new Map((byId.get(killmailId) ?? []).map((index) => {
        const { hash, killmail } = mailAt(index)
        return [hash, killmail] as const
      })),
    consumerCame: (now) => {
      begun ??= now
    }
  }
}
