/** Day archives to import: made up, the same each time, or those of a directory. */
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { closeSync, openSync, readdirSync, readSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { membersOf } from "../archives/TarBz2.ts"
import type { Killmail } from "../domain/Killmail.ts"
import { archiveName, dayOfArchive } from "../history/Days.ts"
import { killmailsOfDay, memberOf, tarOf } from "../sandbox/Archives.ts"
import { bzip2 } from "../sandbox/Bzip2.ts"
import type { Copied } from "./Copy.ts"
import { seed } from "./Mails.ts"

/** A month of the past, with several years free before it. */
const firstDay = Date.UTC(2021, 10, 1)
const dayMillis = 86_400_000

/** Writes archives of so many days, each of so many killmails. */
export const writeArchives = Effect.fnUntraced(function*(directory: string, days: number, killmails: number) {
  for (let index = 0; index < days; index++) {
    const day = new Date(firstDay + index * dayMillis).toISOString().slice(0, 10)
    const mails = killmailsOfDay(seed, day, index * killmails, killmails)
    writeFileSync(join(directory, archiveName(day)), pack(tarOf(mails.map(memberOf))))
    yield* Effect.yieldNow
  }
})

/** By the program, which is faster than what the sandbox has for want of one. */
const pack = (tar: Buffer): Buffer => {
  const { status, stdout } = spawnSync("bzip2", ["-c"], { input: tar, maxBuffer: tar.length + 1_000_000 })
  return status === 0 ? stdout : bzip2(tar)
}

/** At most so many of a directory's killmails, as the reference takes them: of ten years before, where nothing else is. */
export const readArchives = (directory: string, most: number) =>
  Effect.promise(async () => {
    const mails: Array<Copied> = []
    const files = readdirSync(directory).filter((name) => dayOfArchive(name) !== undefined).toSorted()
    for (const name of files) {
      const file = openSync(join(directory, name), "r")
      for await (const { bytes } of membersOf((buffer) => readSync(file, buffer))) {
        if (mails.length === most) break
        const killmail: Killmail = JSON.parse(bytes.toString())
        mails.push({ killmail: tenYearsBefore(killmail) })
      }
      closeSync(file)
    }
    return mails
  })

const tenYearsBefore = (killmail: Killmail): Killmail => ({
  ...killmail,
  killmail_time: `${Number(killmail.killmail_time.slice(0, 4)) - 10}${killmail.killmail_time.slice(4)}`
})
