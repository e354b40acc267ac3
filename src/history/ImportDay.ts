/**
 * The job that imports one day of history: fetches its archive, takes it from a file, or fetches what somebody lists of it,
 * and has a thread read that. What was read before is known by its digest; what was edited since is read again.
 */
import { Effect, Option, Schema } from "effect"
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import { basename } from "node:path"
import { pipeline } from "node:stream/promises"
import { crashPoint } from "../CrashPoint.ts"
import type { Day } from "../domain/Market.ts"
import { explainSql } from "../ExplainSql.ts"
import * as Job from "../jobs/Job.ts"
import { handle } from "../jobs/JobRunner.ts"
import { type ArchiveKey, type Ending, Imports } from "../store/Imports.ts"
import { EveKill } from "../upstreams/EveKill.ts"
import { EveRefClient } from "../upstreams/EveRefClient.ts"
import type { UpstreamError } from "../upstreams/PoliteClient.ts"
import { ZkbHistory } from "../upstreams/ZkbHistory.ts"
import { archiveName, killmailArchives } from "./Days.ts"
import type { Archive } from "./ImportArchive.ts"
import { Importer, type ImportFailed } from "./Importer.ts"

export const ImportDay = Job.make({
  name: "import_day",
  payload: Schema.Struct({
    source: Schema.Literals(["everef", "zkillboard", "evekill"]),
    day: Schema.String,
    /** The archive's file; without it, it is fetched. */
    path: Schema.optionalKey(Schema.String),
    /** What the list said of it when the job was added. */
    listed: Schema.optionalKey(Schema.String)
  }),
  key: ({ day, source }) => `import_day:${day}:${source}`,
  tier: "backfill",
  deadlineMillis: 3_600_000
})
type Payload = typeof ImportDay.payload.Type

/** Killmails that ESI is asked for at a time: two a second are allowed, and a long queue slows all of it. */
const mostAsked = 30_000

/** The archive cannot be read: one sentence. */
class ArchiveUnreadable extends Schema.TaggedError<ArchiveUnreadable>()("ArchiveUnreadable", {
  message: Schema.String
}) {}

export const importDay = handle(ImportDay, (payload: Payload) =>
  Effect.gen(function*() {
    const imports = yield* Imports
    const { day, listed: mark = null, source } = payload
    const key: ArchiveKey = { source, day }
    const before = (yield* imports.read(source, day, day)).get(day)
    if ((yield* imports.asked(source)) > mostAsked) {
      return yield* new Job.JobPostponed({
        delayMillis: 60_000,
        message: "ESI is still asked for killmails of other days."
      })
    }
    const found = yield* source !== "everef"
      ? listed(source, day)
      : payload.path === undefined
      ? fetched(day, before?.digest)
      : opened(payload.path, before?.digest)
    if (found === "unchanged" || found.digest === before?.digest) {
      yield* close(key, { digest: before!.digest, listed: mark }, false)
      return { status: "unchanged" }
    }
    yield* imports.begin(key, found.bytes)
    yield* crashPoint("import begun, archive not read")
    const outcome = yield* (yield* Importer).run({ key, name: found.name, content: found.content })
    yield* imports.noteEntities(day)
    const read = { digest: found.digest, listed: mark }
    const { asked, damage, killmails, refusedCount: refused, stored } = outcome
    const error = `${found.name} is damaged: ${damage}; the ${killmails} killmails before that are here.`
    yield* close(key, { ...(damage === null ? read : { error }), asked, refused }, stored > 0)
    if (damage !== null) return yield* new ArchiveUnreadable({ message: error })
    return { status: "imported", ...outcome }
  }).pipe(Effect.mapError(explain), Effect.interruptible))

/** The last import of a month has its indexes built. */
const close = Effect.fnUntraced(function*(key: ArchiveKey, outcome: Ending, stored: boolean) {
  const imports = yield* Imports
  const isLast = yield* imports.end(key, outcome)
  yield* crashPoint("import ended, month not indexed")
  if (isLast) yield* imports.indexMonth(key.day, stored)
})

interface Found extends Omit<Archive, "key"> {
  readonly digest: string
  /** Its size. */
  readonly bytes: number
}

const fetched = Effect.fnUntraced(function*(day: Day, digest: string | undefined) {
  const file = yield* (yield* EveRefClient).dayFile(killmailArchives, day, digest ?? null)
  if (file === "unchanged") return file
  if (file === "absent") return yield* new ArchiveUnreadable({ message: `EVE Ref has no archive of ${day}.` })
  const found = createHash("md5").update(file.bytes).digest("hex")
  if (found === digest) return "unchanged" as const
  return { name: archiveName(day), digest: found, bytes: file.bytes.length, content: { bytes: file.bytes } } as Found
})

/** With whatever bodies there are; a day of which there are none is fetched from ESI, one by one. */
const listed = Effect.fnUntraced(function*(source: "zkillboard" | "evekill", day: Day) {
  const { bodies, hashes } = yield* source === "zkillboard" ? atZkillboard(day) : atEveKill(day)
  if (hashes === undefined) return yield* new ArchiveUnreadable({ message: `${source} has no list of ${day} yet.` })
  const digest = createHash("md5").update(JSON.stringify(hashes)).update(bodies ?? "").digest("hex")
  return { name: `${source}'s ${day}`, digest, bytes: bodies?.length ?? 0, content: { hashes, bodies } } as Found
})

const atZkillboard = Effect.fnUntraced(function*(day: Day) {
  const { file, hashes } = yield* ZkbHistory
  return { hashes: Option.getOrUndefined(yield* hashes(day)), bodies: Option.getOrUndefined(yield* file(day)) }
})

const atEveKill = Effect.fnUntraced(function*(day: Day) {
  const { bodies, hashes } = yield* EveKill
  const listed = yield* hashes(day)
  if (Object.keys(listed).length === 0) return { hashes: undefined, bodies: undefined }
  return { hashes: listed, bodies: Option.getOrUndefined(yield* bodies(day)) }
})

const opened = (path: string, digest: string | undefined) =>
  Effect.tryPromise({
    try: async () => {
      const hash = createHash("md5")
      const about = await stat(path)
      // From a pipe there would be nothing, for ever.
      if (!about.isFile()) throw new Error("it is no file")
      await pipeline(createReadStream(path), hash)
      const found = hash.digest("hex")
      return found === digest
        ? "unchanged" as const
        : { name: basename(path), digest: found, bytes: about.size, content: { path } } as Found
    },
    catch: (cause) =>
      new ArchiveUnreadable({
        message: `${path} cannot be read here: ${cause instanceof Error ? cause.message : cause}.`
      })
  })

type Failure =
  | UpstreamError
  | ArchiveUnreadable
  | ImportFailed
  | Job.JobPostponed

const explain = (error: Failure): Job.JobError => {
  switch (error._tag) {
    case "JobPostponed":
      return error
    case "ArchiveUnreadable":
      return new Job.JobRefused({ reason: "unreadable", message: error.message })
    case "UpstreamPaused":
      return new Job.JobPostponed({ delayMillis: error.waitMillis, message: error.message })
    case "UpstreamUnavailable":
      return new Job.JobFailed({ reason: "upstream_unavailable", message: error.message })
    case "ImportFailed":
      return error.isPassing
        ? new Job.JobPostponed({ delayMillis: 2000, message: error.message })
        : new Job.JobFailed({ reason: "import_failed", message: error.message })
    case "SqlError":
      return explainSql(error)
  }
}
