/**
 * Brings daily averages into the store, a file at a time and each day in one transaction: from EVE Ref, or from files that
 * somebody has. A file that was read before is known by its digest; one that was edited since is read again.
 */
import { Effect, Stream } from "effect"
import type { SqlError } from "effect/sql"
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { readdir, stat } from "node:fs/promises"
import { basename, join } from "node:path"
import { pipeline } from "node:stream/promises"
import { isWithin, type Range, yearsOf } from "../domain/Days.ts"
import type { Day } from "../domain/Market.ts"
import { PriceImports } from "../store/PriceImports.ts"
import { type UpstreamError, type UpstreamPaused, UpstreamUnavailable } from "../upstreams/PoliteClient.ts"
import { EveRef } from "./EveRef.ts"
import { isMarketHistory } from "./MarketHistory.ts"
import { FileUnreadable, makeReader, type Reader } from "./Reader.ts"

/** So many files in a row that cannot be had are EVE Ref's trouble; fewer are the files'. */
const failuresInARow = 3

/** EVE's market keeps no day before. */
export const firstDay: Day = "2003-10-01"

export interface Progress {
  /** Files. */
  readonly done: number
  readonly total: number
  /** That were new or changed. */
  readonly prices: number
}

export interface Outcome {
  /** Days whose file was read. */
  readonly imported: number
  /** Days whose file had been read before. */
  readonly unchanged: number
  /** Prices that were new or changed. */
  readonly prices: number
  /** A sentence for each file that could not be read. */
  readonly unreadable: ReadonlyArray<string>
}

export interface Options {
  readonly onProgress: (progress: Progress) => Effect.Effect<void>
  /** What to do when EVE Ref refuses requests for a while, before it is asked again. */
  readonly onPause: (pause: UpstreamPaused) => Effect.Effect<void, UpstreamPaused>
}

/** All days of the range that EVE Ref has and that are not here as they are there, oldest first. */
export const importFromEveRef = Effect.fn("importFromEveRef")(function*(range: Range, options: Options) {
  const everef = yield* EveRef
  const store = yield* PriceImports
  const patiently = <A>(request: Effect.Effect<A, UpstreamError>): Effect.Effect<A, UpstreamError> =>
    Effect.catchTag(
      request,
      "UpstreamPaused",
      (pause) => Effect.andThen(options.onPause(pause), patiently(request))
    )

  const here = yield* store.importedDays(range.first, range.last)
  const listed = [...yield* patiently(everef.listing(yearsOf(range)))].filter(([day]) => isWithin(range, day))
  const due = listed.filter(([day, mark]) => here.get(day)?.listed !== mark).toSorted(([a], [b]) => a < b ? -1 : 1)
  const tally = makeTally(due.length, options)
  tally.unchanged = listed.length - due.length
  if (due.length === 0) return tally.outcome()
  const reader = yield* makeReader
  let failures = 0
  yield* Stream.fromIterable(due).pipe(
    // The next file comes while this one is read and stored.
    Stream.mapEffect(
      ([day, mark]) =>
        patiently(everef.dayFile(day, here.get(day)?.etag ?? null)).pipe(
          Effect.catchTag("UpstreamUnavailable", (error) => Effect.succeed(error)),
          Effect.map((file) => ({ day, mark, file }))
        ),
      { concurrency: 2 }
    ),
    Stream.runForEach(Effect.fnUntraced(function*({ day, file, mark }) {
      if (file instanceof UpstreamUnavailable) {
        if (++failures === failuresInARow) return yield* file
        return yield* tally.file(new FileUnreadable({ message: file.message }))
      }
      failures = 0
      yield* tally.file(Effect.gen(function*() {
        if (typeof file === "string") {
          tally.unchanged++
          return yield* store.confirmDay(day, mark)
        }
        const prices = yield* onlyDay(reader, day, file.bytes)
        tally.stored(yield* store.importDay(prices, { etag: file.etag, listed: mark }))
      }))
    }))
  )
  return tally.outcome()
}, Effect.scoped)

/** A day's file of EVE Ref holds that day. */
const onlyDay = Effect.fnUntraced(function*(reader: Reader, day: Day, bytes: Uint8Array) {
  const name = `market-history-${day}.csv.bz2`
  const [prices, another] = yield* Stream.runCollect(reader.days(name, bytes))
  if (another !== undefined || (prices !== undefined && prices.day !== day)) {
    return yield* new FileUnreadable({ message: `${name} holds ${(another ?? prices!).day}, wants ${day} alone.` })
  }
  return prices ?? { day, typeIds: new Int32Array(), averages: new Float64Array() }
})

/** All days of the range in the files of a directory, or in one file. */
export const importFromFiles = Effect.fn("importFromFiles")(
  function*(path: string, range: Range, options: Pick<Options, "onProgress">) {
    const store = yield* PriceImports
    const reader = yield* makeReader
    const here = yield* store.importedDays(range.first, range.last)
    const files = yield* filesOf(path)
    const tally = makeTally(files.length, options)

    const importFile = Effect.fnUntraced(function*(file: string) {
      // Of a file as EVE Ref gives it this is what its ETag says.
      const etag = yield* digestOf(file)
      const isKnown = (day: Day) => here.get(day)?.etag === etag
      const named = dayInName(file)
      if (named !== undefined && isKnown(named)) {
        tally.unchanged++
        return
      }
      yield* Stream.runForEach(
        reader.days(file),
        Effect.fnUntraced(function*(read) {
          if (!isWithin(range, read.day)) return
          if (isKnown(read.day)) tally.unchanged++
          else tally.stored(yield* store.importDay(read, { etag, listed: `${read.records} records` }))
        })
      )
    })

    for (const file of files) {
      const named = dayInName(file)
      yield* tally.file(named === undefined || isWithin(range, named) ? importFile(file) : Effect.void)
    }
    return tally.outcome()
  },
  Effect.scoped
)

const dayInName = (file: string): Day | undefined => /\d{4}-\d\d-\d\d(?=\.csv)/.exec(basename(file))?.[0]

const filesOf = (path: string) =>
  Effect.tryPromise({
    try: async () => {
      if (!(await stat(path)).isDirectory()) return [path]
      // Links to directories are not followed: they may lead round in a circle.
      const entries = await readdir(path, { recursive: true, withFileTypes: true })
      const found = entries.filter(({ name }) => isMarketHistory(name)).toSorted((a, b) => a.name < b.name ? -1 : 1)
      return found.map(({ name, parentPath }) => join(parentPath, name))
    },
    catch: (cause) =>
      new FileUnreadable({ message: `${path} cannot be read: ${cause instanceof Error ? cause.message : cause}.` })
  }).pipe(
    Effect.filterOrElse(
      (files) => files.length > 0 && files.every(isMarketHistory),
      () =>
        new FileUnreadable({
          message: `${path} holds no market history, wants *.csv, *.csv.bz2, *.csv.gz or *.tar.bz2.`
        })
    )
  )

const digestOf = (path: string) =>
  Effect.tryPromise({
    try: async () => {
      const hash = createHash("md5")
      await pipeline(createReadStream(path), hash)
      return hash.digest("hex")
    },
    catch: (cause) =>
      new FileUnreadable({ message: `${path} cannot be read: ${cause instanceof Error ? cause.message : cause}.` })
  })

/** What has been done so far. A file that cannot be read is noted, and the others go on. */
const makeTally = (total: number, { onProgress }: Pick<Options, "onProgress">) => {
  const unreadable: Array<string> = []
  let imported = 0
  let prices = 0
  let done = 0
  const tally = {
    unchanged: 0,
    stored: (changed: number) => {
      imported++
      prices += changed
    },
    file: (work: Effect.Effect<void, FileUnreadable | SqlError.SqlError>) =>
      work.pipe(
        Effect.catchTag("FileUnreadable", ({ message }) => Effect.sync(() => void unreadable.push(message))),
        Effect.andThen(Effect.suspend(() => onProgress({ done: ++done, total, prices })))
      ),
    outcome: (): Outcome => ({ imported, unchanged: tally.unchanged, prices, unreadable })
  }
  return tally
}
