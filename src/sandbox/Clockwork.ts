/** The clock world: mails appear by themselves, and all of it follows from seed, speed and the time. */
import type { Killmail } from "../domain/Killmail.ts"
import { firstSequence, mailWithId, newestMailAt, publishedAt } from "./Calendar.ts"
import { drawOf } from "./Random.ts"
import { fileText, placeholderText, type Universe } from "./Universe.ts"
import { killmailOf, type Mail } from "./World.ts"

/**
 * R2Z2 keeps 24 hours. In numbers that is the same at every speed, as the clock runs faster and the retention is shorter:
 * 86,400 s at 0.24 a second. It is more than the 10,000 that are kept at least.
 */
const retention = 20_736

/** Shares of all numbers. Real R2Z2 has few of each; tests need to meet them. */
const holes = 1 / 400
const placeholders = 1 / 700
const repeats = 1 / 300
const rewrites = 1 / 200

/** A repeat brings a mail again that came so many numbers earlier; a rewrite changes a file that much older. */
const repeatDistance = 37
const rewriteDistance = 61

export const clockwork = (seed: string, speed: number): Universe => {
  const head = (now: number): number => firstSequence + newestMailAt(now, speed)
  const draw = (kind: string, k: number, share: number): boolean => k >= 100 && drawOf(seed, kind, k) < share

  const kindOf = (k: number): "hole" | "placeholder" | "repeat" | "mail" =>
    draw("hole", k, holes)
      ? "hole"
      : draw("placeholder", k, placeholders)
      ? "placeholder"
      : draw("repeat", k, repeats) && kindOf(k - repeatDistance) === "mail"
      ? "repeat"
      : "mail"

  const rewrittenBy = (k: number): boolean => draw("rewrite", k, rewrites) && kindOf(k) === "mail"

  const file: Universe["file"] = (sequence, now, stale) => {
    const k = sequence - firstSequence
    const kind = kindOf(k)
    if (kind === "hole") return "hole"
    const uploadedAt = Math.floor(publishedAt(k, speed) / 1000)
    if (kind === "placeholder") return { text: placeholderText(sequence, uploadedAt), mail: undefined }
    const mail = killmailOf(seed, kind === "repeat" ? k - repeatDistance : k, speed)
    const isRewritten = !stale && kind === "mail" && sequence + rewriteDistance <= head(now) &&
      rewrittenBy(k + rewriteDistance)
    const shown = isRewritten || kind === "repeat" ? ganked(mail) : mail
    const updated = rewrittenBy(k) && kindOf(k - rewriteDistance) === "mail" ? sequence - rewriteDistance : undefined
    return { text: fileText(shown, sequence, uploadedAt, updated), mail: shown }
  }

  const known: Universe["known"] = (killmailId, now): ReadonlyMap<string, Killmail> => {
    const k = mailWithId(seed, killmailId)
    if (k === undefined || k > newestMailAt(now, speed)) return new Map()
    const { hash, killmail } = killmailOf(seed, k, speed)
    return new Map([[hash, killmail]])
  }

  return {
    first: firstSequence,
    head,
    oldest: (now) => Math.max(firstSequence, head(now) - retention + 1),
    file,
    known,
    consumerCame: () => {}
  }
}

/** What a rewrite changes. */
const ganked = (mail: Mail): Mail => ({
  ...mail,
  zkb: { ...mail.zkb, labels: [...mail.zkb.labels, "ganked"], points: mail.zkb.points + 1 }
})
