/**
 * Brings CCP's static data into the tables, from their server, another one or a file: one build, in one transaction, one
 * import at a time over all replicas. What the archive lacks stays as it is.
 */
import { Effect, Option, Result, Schema, Stream } from "effect"
import { Leases } from "../store/Leases.ts"
import { type Put, type StaticDataBuild, StaticDataImports } from "../store/StaticDataImports.ts"
import type { StaticRows, StaticTable } from "../store/StaticTables.ts"
import { type Member, members, type Names } from "./Members.ts"
import * as Sde from "./Sde.ts"
import * as SdeZip from "./SdeZip.ts"

/** Of the reading: raised when more, or something else, is taken out of the same build, so that it is read again. */
const revision = 1

/** Held for as long as an import takes. */
const leaseName = "static_data"

export type Source =
  /** The newest build on CCP's server (`KILLMAILD_SDE_URL`). */
  | { readonly kind: "latest" }
  | { readonly kind: "url"; readonly url: URL }
  | { readonly kind: "file"; readonly path: string }

export interface Outcome {
  /** `known`: this build is here already, and nothing was done. */
  readonly status: "imported" | "known"
  /** CCP's number; null for an archive that does not tell. */
  readonly build: number | null
  /** Rows given to each table. */
  readonly rows: Readonly<Partial<Record<StaticTable, number>>>
  /** Members that were wanted and are not in the archive. */
  readonly missing: ReadonlyArray<string>
}

interface Options {
  /** Imports a build that is here already once more. */
  readonly force: boolean
  readonly onProgress: Sde.OnProgress
}

export const importStaticData = Effect.fn("importStaticData")(function*(source: Source, options: Options) {
  const lease = yield* (yield* Leases).acquire(leaseName)
  return yield* Effect.raceFirst(importFrom(source, options), lease.lost)
}, Effect.scoped)

const importFrom = (source: Source, options: Options) => {
  switch (source.kind) {
    case "file":
      return importArchive(source.path, source.path, options)
    case "url":
      return importUrl(source.url, options)
    case "latest":
      return importLatest(options)
  }
}

const importUrl = Effect.fnUntraced(function*(url: URL, options: Options) {
  return yield* importArchive(yield* Sde.download(url, options.onProgress), Sde.nameOf(url), options)
})

const importLatest = Effect.fnUntraced(function*(options: Options) {
  const { build, url } = yield* Sde.latest
  // Another archive than CCP's may have lacked what theirs has.
  const isHere = (last: StaticDataBuild) =>
    last.build !== null && last.build >= build && (last.missing.length === 0 || last.source === Sde.nameOf(url))
  return !options.force && (yield* wasLast(isHere)) ? known(build) : yield* importUrl(url, options)
})

/** Whether what was imported last, read as it would be now, is this. */
const wasLast = Effect.fnUntraced(function*(isThis: (last: StaticDataBuild) => boolean) {
  const last = yield* (yield* StaticDataImports).last
  return Option.exists(last, (last) => last.revision === revision && isThis(last))
})

const known = (build: number): Outcome => ({ status: "known", build, rows: {}, missing: [] })

/** `name` is what messages call it. */
const importArchive = Effect.fnUntraced(function*(path: string, name: string, { force, onProgress }: Options) {
  const zip = yield* SdeZip.open(path, name)
  const present = members.filter(({ file }) => zip.members.has(file))
  if (present.length === 0) {
    return yield* new SdeZip.SdeUnusable({
      message: `${name} has no member of CCP's static data such as ${members[0]!.file}, wants ` +
        "eve-online-static-data-<build>-jsonl.zip."
    })
  }
  const { build, releasedAt } = yield* buildOf(zip)
  const isHere = (last: StaticDataBuild) => last.build === build && !last.missing.some((file) => zip.members.has(file))
  if (!force && build !== null && (yield* wasLast(isHere))) return known(build)

  const missing = [buildFile, ...members.map(({ file }) => file)].filter((file) => !zip.members.has(file))
  const record: StaticDataBuild = { build, releasedAt, revision, source: name, missing }
  const rows = yield* (yield* StaticDataImports).write(record, (put) => readMembers(zip, present, put, onProgress))
  const outcome: Outcome = { status: "imported", build, rows, missing }
  return outcome
})

const buildFile = "_sde.jsonl"

const buildOf = Effect.fnUntraced(function*(zip: SdeZip.SdeZip) {
  if (!zip.members.has(buildFile)) return { build: null, releasedAt: null }
  const [batch] = yield* Stream.runCollect(zip.read(buildFile))
  const { buildNumber, releaseDate } = yield* Effect.mapError(
    decodeBuild(batch?.lines[0] ?? ""),
    ({ message }) => zip.unusable(buildFile, 1, message)
  )
  const released = new Date(releaseDate ?? Number.NaN)
  return { build: buildNumber, releasedAt: Number.isNaN(released.getTime()) ? null : released }
})

const decodeBuild = Schema.decodeUnknownEffect(
  Schema.fromJsonString(Schema.Struct({
    buildNumber: Schema.Int,
    releaseDate: Schema.optionalKey(Schema.String)
  }))
)

const readMembers = Effect.fnUntraced(
  function*(zip: SdeZip.SdeZip, present: ReadonlyArray<Member>, put: Put, onProgress: Sde.OnProgress) {
    const names: Names = { places: new Map(), operations: new Map() }
    const total = present.reduce((sum, { file }) => sum + zip.members.get(file)!, 0)
    let done = 0
    const readBatch = Effect.fnUntraced(function*(member: Member, { bytes, first, lines }: SdeZip.Batch) {
      const rows = member.tables.map((table) => [table, [] as Array<never>] as const)
      for (const [index, line] of lines.entries()) {
        const read = parse(member, line, names)
        if (Result.isFailure(read)) return yield* zip.unusable(member.file, first + index, read.failure)
        for (const [table, all] of rows) all.push(...(read.success[table] ?? []) as ReadonlyArray<never>)
      }
      for (const [table, all] of rows) if (all.length > 0) yield* put(table, all)
      yield* onProgress({ step: "import", done: done += bytes, total })
    })
    for (const member of present) {
      yield* Stream.runForEach(zip.read(member.file), (batch) => readBatch(member, batch))
    }
  }
)

const parse = (member: Member, line: string, names: Names): Result.Result<StaticRows, string> => {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return Result.fail("it is not JSON")
  }
  return member.rows(value, names)
}
