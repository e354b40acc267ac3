/**
 * Reads a day's archive, or what somebody lists of it, and stores what is new: unpacked, decoded, appraised and put into rows
 * here, while Postgres takes in the batch before. Whatever ends it, what was stored is stored, and it can begin again.
 */
import { Effect, Stream } from "effect"
import type { SqlError } from "effect/sql"
import { closeSync, openSync, readSync } from "node:fs"
import { type Read, readFrom } from "../archives/BitReader.ts"
import { type Member, membersOf } from "../archives/TarBz2.ts"
import { Appraiser } from "../intake/Appraiser.ts"
import { hearingOf, neverAnnounced } from "../intake/Hearing.ts"
import { causeText, isBadRow } from "../store/Database.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { type ArchiveKey, Imports, type RefusedMember } from "../store/Imports.ts"
import { type Advance, KillmailCopy, writers } from "../store/KillmailCopy.ts"
import type { NewKillmail } from "../store/KillmailStore.ts"
import { type Read as ReadMember, readMember } from "./ArchivedKillmail.ts"
import { type ListedDay, readListed } from "./ListedDay.ts"

/** An archive: where it is, or what is in it. */
export interface Archive {
  readonly key: ArchiveKey
  /** For sentences. */
  readonly name: string
  readonly content: { readonly path: string } | { readonly bytes: Uint8Array } | ListedDay
}

export interface Outcome {
  readonly killmails: number
  readonly stored: number
  /** For so many ESI is asked, as they have no body, or none that fits. */
  readonly asked: number
  /** Of members that could not be stored, a sentence each; but for the first few, they are counted only. */
  readonly refused: ReadonlyArray<string>
  readonly refusedCount: number
  /** What is wrong with the archive from here on; what came before it is stored. */
  readonly damage: string | null
}

/** Killmails of a transaction. */
const batchSize = 1000
/** Members read in one go, a few milliseconds, before others on this thread get their turn. */
const readAtOnce = 32
const sentencesKept = 10

interface Batch {
  readonly members: ReadonlyArray<ReadMember>
  /** Bytes of the archive that were read so far. */
  readonly bytesRead: number
  readonly damage: string | null
}

export const importArchive = Effect.fn("importArchive")(function*({ content, key, name }: Archive) {
  let killmails = 0
  let stored = 0
  let asked = 0
  let damage: string | null = null
  const refused: Array<string> = []
  let refusedCount = 0
  const refuse = (error: string) => {
    if (refusedCount++ < sentencesKept) refused.push(`${name}: ${error}`)
  }

  /** What cannot be stored is kept as a dead letter, or asked of ESI, unless that has refused it for good. */
  const settle = Effect.fnUntraced(function*(members: ReadonlyArray<ReadMember>) {
    const feeds = yield* FeedStore
    const imports = yield* Imports
    for (const member of members) {
      if (member.kind === "doubtful") refuse(`${member.error}; ESI is asked for it.`)
      if (member.kind !== "refused") continue
      refuse(member.member.error)
      yield* imports.refuse(key, member.member)
    }
    const refs = members.flatMap((member) => "ref" in member ? [member.ref] : [])
    if (refs.length === 0) return
    const hearings = refs.map((ref) => hearingOf(key.source, "backfill", { ...ref, announcedFrom: neverAnnounced }))
    asked += yield* feeds.hearFrom(key.source, hearings)
  })

  yield* Stream.fromAsyncIterable(batchesOf(content), (cause) => cause).pipe(
    Stream.orDie,
    Stream.mapEffect((batch) => Effect.map(appraised(batch, key), (mails) => ({ batch, mails }))),
    Stream.mapEffect(
      Effect.fnUntraced(function*({ batch, mails }) {
        const { members } = batch
        yield* settle(members)
        const advance = { key, bytesRead: batch.bytesRead, killmails: members.length }
        const added = yield* storeAll(mails, advance, refuse)
        stored += added
        killmails += members.length
        damage ??= batch.damage
      }),
      { concurrency: writers, unordered: true }
    ),
    Stream.runDrain
  )
  return { killmails, stored, asked, refused, refusedCount, damage } satisfies Outcome as Outcome
})

/** What is new of a batch, with what it was worth and meant. */
const appraised = Effect.fnUntraced(function*({ members }: Batch, { source }: ArchiveKey) {
  const copy = yield* KillmailCopy
  const appraiser = yield* Appraiser
  const found = members.filter((member) => member.kind === "killmail")
  const known = yield* copy.known(found.map(({ killmail }) => killmail.killmail_id))
  const fresh = found.filter(({ killmail }) => !known.has(killmail.killmail_id))
  const appraisals = yield* appraiser.appraiseAll(fresh.map(({ killmail }) => killmail))
  const heardAt = new Date()
  return fresh.map(({ hash, killmail }, index): NewKillmail => ({
    killmail,
    hash,
    source,
    heardAt,
    appraisal: appraisals[index]
  }))
})

/** A row that Postgres refuses must not keep out its neighbours: the batch is halved until it is alone. */
const storeAll = (
  mails: ReadonlyArray<NewKillmail>,
  advance: Advance,
  refuse: (error: string) => void
): Effect.Effect<number, SqlError.SqlError, KillmailCopy | Imports> =>
  Effect.catchTag(KillmailCopy.use((copy) => copy.store(mails, advance)), "SqlError", (error) => {
    if (!isBadRow(error)) return Effect.fail(error)
    if (mails.length > 1) {
      const middle = mails.length >> 1
      return Effect.zipWith(
        storeAll(mails.slice(0, middle), { ...advance, killmails: 0 }, refuse),
        storeAll(mails.slice(middle), advance, refuse),
        (first, second) => first + second
      )
    }
    const letter = badRow(mails[0]!, causeText(error))
    refuse(letter.error)
    return Effect.as(Imports.use((imports) => imports.refuse(advance.key, letter)), 0)
  })

const badRow = ({ killmail }: NewKillmail, cause: string): RefusedMember => ({
  member: `killmails/${killmail.killmail_id}.json`,
  reason: "bad_row",
  error: `killmail ${killmail.killmail_id} is refused by Postgres: ${cause}.`,
  text: JSON.stringify(killmail)
})

/** Batches of a day. A damaged archive ends with what could be read of it, and says so. */
async function* batchesOf(content: Archive["content"]): AsyncGenerator<Batch> {
  const { all, close, readSoFar } = "hashes" in content ? openListed(content) : openArchive(content)
  let members: Array<ReadMember> = []
  let damage: string | null = null
  try {
    for await (const member of all) {
      members.push(member)
      if (members.length % readAtOnce === 0) await new Promise(setImmediate)
      if (members.length < batchSize) continue
      yield { members, bytesRead: readSoFar(), damage }
      members = []
    }
  } catch (cause) {
    damage = cause instanceof Error ? cause.message : String(cause)
  } finally {
    close()
  }
  yield { members, bytesRead: readSoFar(), damage }
}

interface Day {
  readonly all: AsyncIterable<ReadMember> | Iterable<ReadMember>
  /** Bytes. */
  readonly readSoFar: () => number
  readonly close: () => void
}

/** What is read of it so far is known by how many killmails that are. */
const openListed = (day: ListedDay): Day => {
  const total = Object.keys(day.hashes).length
  let count = 0
  function* counted() {
    for (const member of readListed(day, Date.now())) {
      count++
      yield member
    }
  }
  const readSoFar = () => Math.round((day.bodies?.length ?? 0) * Math.min(1, count / Math.max(1, total)))
  return { all: counted(), readSoFar, close: () => {} }
}

async function* killmailFiles(members: AsyncIterable<Member>): AsyncGenerator<ReadMember> {
  const now = Date.now()
  for await (const member of members) if (member.name.endsWith(".json")) yield readMember(member, now)
}

const openArchive = (content: Exclude<Archive["content"], ListedDay>): Day => {
  let total = 0
  const counted = (read: Read): Read => (buffer) => {
    const size = read(buffer)
    total += size
    return size
  }
  if ("path" in content) {
    const file = openSync(content.path, "r")
    const read = counted((buffer) => readSync(file, buffer))
    return { all: killmailFiles(membersOf(read)), readSoFar: () => total, close: () => closeSync(file) }
  }
  const read = counted(readFrom(content.bytes))
  return { all: killmailFiles(membersOf(read)), readSoFar: () => total, close: () => {} }
}
