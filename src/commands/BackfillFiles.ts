/** `killmaild backfill everef --path`: which day each archive of a directory holds, by its name, and which are of no use. */
import { Effect } from "effect"
import { readdir, stat } from "node:fs/promises"
import { join, resolve } from "node:path"
import { isWithin, type Range } from "../domain/Days.ts"
import { type Day, isDay } from "../domain/Market.ts"
import { dayOfArchive, history } from "../history/Days.ts"
import type { Due } from "./BackfillDays.ts"
import { refuse } from "./Refusal.ts"

/** Fails when there is no archive at all. Of two of the same day the first is taken, in the order of their paths. */
export const dueInFiles = Effect.fnUntraced(function*(path: string, range: Range) {
  const archives = (yield* filesIn(path)).flatMap((file) => {
    const day = dayOfArchive(file)
    return day === undefined ? [] : [{ day, file }]
  })
  if (archives.length === 0) {
    return yield* refuse(`backfill everef: ${path} holds no archive, wants killmails-YYYY-MM-DD.tar.bz2.`)
  }
  const { first, last } = yield* history
  const files = new Map<Day, string>()
  const unusable: Array<string> = []
  for (const { day, file } of archives) {
    const taken = files.get(day)
    if (!isDay(day) || !isWithin({ first, last }, day)) {
      unusable.push(`${file} is named after ${day}, wants a day from ${first} to ${last}.`)
    } else if (taken !== undefined) {
      unusable.push(`${file} was left out, as ${taken} is of the same day; it wants a --path of its own.`)
    } else if (isWithin(range, day)) files.set(day, file)
  }
  const days = [...files].map(([day, file]) => ({ source: "everef" as const, day, path: resolve(file) }))
  return { source: "everef", range, days, unchanged: 0, unusable } satisfies Due as Due
})

/** Links to directories are not followed: they may lead round in a circle. */
const filesIn = (path: string) =>
  Effect.tryPromise({
    try: async () => {
      if (!(await stat(path)).isDirectory()) return [path]
      const entries = await readdir(path, { recursive: true, withFileTypes: true })
      return entries.map(({ name, parentPath }) => join(parentPath, name)).toSorted()
    },
    catch: (cause) =>
      refuse(`backfill everef: ${path} cannot be read: ${cause instanceof Error ? cause.message : cause}.`)
  })
