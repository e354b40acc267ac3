/** CCP's static data as a file: a zip of members with one JSON object a line. Read in batches, in any order of members. */
import { Effect, Schema, type Scope, Stream } from "effect"
import { TextDecoder } from "node:util"
import { crc32 } from "node:zlib"
import { type Entry, openPromise, type ZipFile } from "yauzl"

/** The archive cannot be used: one sentence that says what is wrong where. */
export class SdeUnusable extends Schema.TaggedError<SdeUnusable>()("SdeUnusable", { message: Schema.String }) {}

/** Lines of a member, in order. */
export interface Batch {
  readonly lines: ReadonlyArray<string>
  /** The number of the first, from 1. */
  readonly first: number
  /** Of the member, read for this batch. */
  readonly bytes: number
}

export interface SdeZip {
  /** Bytes of each member, uncompressed, by name: `types.jsonl`. */
  readonly members: ReadonlyMap<string, number>
  readonly read: (member: string) => Stream.Stream<Batch, SdeUnusable>
  /** That a line cannot be used. */
  readonly unusable: (member: string, line: number, problem: string) => SdeUnusable
}

/** Lines of a batch, or a few more: a few megabytes. */
const batchSize = 1000
/** The longest in CCP's data have some 20,000 characters. */
const longestLine = 16 * 1024 * 1024

/** Opens the archive for as long as the scope lives. `name` is what errors call it. */
export const open: (path: string, name: string) => Effect.Effect<SdeZip, SdeUnusable, Scope.Scope> = Effect.fnUntraced(
  function*(path, name) {
    const unusable = (cause: unknown) =>
      new SdeUnusable({
        message: (cause as NodeJS.ErrnoException).code === "ENOENT"
          ? `${name} does not exist.`
          : `${name} cannot be read as a zip archive: ${reasonOf(cause)}`
      })
    const zip = yield* Effect.acquireRelease(
      Effect.tryPromise({ try: () => openPromise(path, { autoClose: false }), catch: unusable }),
      (zip) => Effect.sync(() => zip.close())
    )
    const entries = yield* Effect.tryPromise({ try: () => entriesOf(zip), catch: unusable })
    return {
      members: new Map([...entries].map(([member, { uncompressedSize }]) => [member, uncompressedSize])),
      read: (member) =>
        Stream.fromAsyncIterable(batchesOf(zip, entries.get(member)!), (cause) =>
          cause instanceof SdeUnusable
            ? cause
            : new SdeUnusable({ message: `${member} of ${name} cannot be read: ${reasonOf(cause)}` })),
      unusable: (member, line, problem) =>
        new SdeUnusable({ message: `${member} of ${name} cannot be used: line ${line}: ${problem}.` })
    }
  }
)

const entriesOf = async (zip: ZipFile): Promise<ReadonlyMap<string, Entry>> => {
  const entries = new Map<string, Entry>()
  for await (const entry of zip.eachEntry()) entries.set(entry.fileName, entry)
  return entries
}

async function* batchesOf(zip: ZipFile, entry: Entry): AsyncGenerator<Batch> {
  const decoder = new TextDecoder("utf-8", { fatal: true })
  let checksum = 0
  let first = 1
  let lines: Array<string> = []
  let rest = ""
  let bytes = 0
  for await (const chunk of await zip.openReadStreamPromise(entry)) {
    checksum = crc32(chunk as Buffer, checksum)
    bytes += (chunk as Buffer).length
    const parts = (rest + decoder.decode(chunk as Buffer, { stream: true })).split("\n")
    rest = parts.pop()!
    for (const part of parts) lines.push(part)
    if (rest.length > longestLine) {
      throw new Error(`line ${first + lines.length} is longer than ${longestLine} characters.`)
    }
    if (lines.length >= batchSize) {
      yield { lines, first, bytes }
      first += lines.length
      lines = []
      bytes = 0
    }
  }
  // The library checks sizes only, and a damaged deflate stream may well decode.
  if (checksum !== entry.crc32) throw new Error("its checksum is wrong.")
  rest += decoder.decode()
  if (rest !== "") lines.push(rest)
  if (lines.length > 0) yield { lines, first, bytes }
}

const reasonOf = (cause: unknown): string => {
  const message = cause instanceof Error ? cause.message : String(cause)
  return message.endsWith(".") ? message : `${message}.`
}
