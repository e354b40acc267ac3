/**
 * Reads real killmails from disk: EVE Ref day archives (`*.tar.bz2`, one JSON file a mail with its hash inside) and rows of
 * `{killmail, hash, zkb?}` (`*.jsonl`, `*.jsonl.gz`). Fails with one sentence that says what is wrong where.
 */
import { readdir, readFile, stat } from "node:fs/promises"
import { basename, join } from "node:path"
import { Readable } from "node:stream"
import { gunzipSync } from "node:zlib"
import Bunzip from "seek-bzip"
import { extract } from "tar-stream"
import { hashOf, type Killmail } from "../domain/Killmail.ts"

/** Kept as bytes, as a few days of parsed mails would fill the heap. */
export interface CorpusMail {
  readonly killmailId: number
  readonly hash: string
  /** ESI's body, as JSON. */
  readonly text: Buffer
  readonly zkb: Buffer | undefined
}

/** A folder's files in the order of their names, or one file. */
export const readCorpus = async (path: string): Promise<ReadonlyArray<CorpusMail>> => {
  const mails: Array<CorpusMail> = []
  const files = await filesOf(path)
  for (const file of files) {
    const rows = file.endsWith(".tar.bz2") ? mailsOfArchive(file) : mailsOfRows(file, file !== path)
    for await (const mail of rows) mails.push(mail)
  }
  return mails
}

const filesOf = async (path: string): Promise<ReadonlyArray<string>> => {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new Error(`the corpus ${path} does not exist`)
  if (!found.isDirectory()) {
    if (!isPlayable(path)) throw new Error(`the corpus ${path} is neither *.tar.bz2 nor *.jsonl nor *.jsonl.gz`)
    return [path]
  }
  const files = (await readdir(path)).filter(isPlayable).toSorted().map((name) => join(path, name))
  if (files.length === 0) throw new Error(`the corpus ${path} holds no *.tar.bz2, *.jsonl or *.jsonl.gz`)
  return files
}

const isPlayable = (name: string): boolean => /\.(tar\.bz2|jsonl|jsonl\.gz)$/.test(name)

async function* mailsOfArchive(file: string): AsyncGenerator<CorpusMail> {
  const tar = await open(file, (bytes) => Bunzip.decode(bytes, undefined, true))
  const archive = Readable.from(tar.length === 0 ? [] : [tar]).pipe(extract())
  try {
    for await (const entry of archive) {
      const chunks: Array<Buffer> = []
      for await (const chunk of entry) chunks.push(chunk as Buffer)
      if (entry.header.type !== "file" || !entry.header.name.endsWith(".json")) continue
      const where = `${basename(file)}, member ${entry.header.name}`
      const { http_last_modified: _, killmail_hash: hash, ...killmail } = parse(Buffer.concat(chunks).toString(), where)
      yield mailOf(killmail, hash, undefined, where)
    }
  } catch (cause) {
    throw cause instanceof Error && cause.message.startsWith(basename(file))
      ? cause
      : new Error(`${basename(file)} is no whole tar archive: ${messageOf(cause)}`, { cause })
  }
}

/** In a folder, other people's rows are passed over: a file whose first row has no `killmail` is not meant. */
async function* mailsOfRows(file: string, isInFolder: boolean): AsyncGenerator<CorpusMail> {
  const text = await open(file, (bytes) => file.endsWith(".gz") ? gunzipSync(bytes) : bytes)
  for (const [index, line] of text.toString().split("\n").entries()) {
    if (line.trim() === "") continue
    const where = `${basename(file)}, line ${index + 1}`
    const row = parse(line, where)
    if (index === 0 && isInFolder && !("killmail" in row)) return
    yield mailOf(row["killmail"], row["hash"], row["zkb"], where)
  }
}

const open = async (file: string, decode: (bytes: Buffer) => Buffer): Promise<Buffer> => {
  try {
    return decode(await readFile(file))
  } catch (cause) {
    throw new Error(`${basename(file)} cannot be read: ${messageOf(cause)}`, { cause })
  }
}

const parse = (text: string, where: string): Record<string, unknown> => {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`${where} is not JSON: ${messageOf(cause)}`, { cause })
  }
}

const mailOf = (body: unknown, hash: unknown, zkb: unknown, where: string): CorpusMail => {
  const killmail = body as Killmail | undefined
  if (!Number.isInteger(killmail?.killmail_id) || !Array.isArray(killmail?.attackers)) {
    throw new Error(`${where} holds no killmail`)
  }
  return {
    killmailId: killmail.killmail_id,
    hash: typeof hash === "string" ? hash : hashOf(killmail),
    text: Buffer.from(JSON.stringify(killmail)),
    zkb: zkb === undefined || zkb === null ? undefined : Buffer.from(JSON.stringify(zkb))
  }
}

const messageOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)
