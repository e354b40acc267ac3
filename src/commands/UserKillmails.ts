/** `killmaild queue users` and `killmaild backfill user-killmails`: what ESI lists of the killmails of pilots who signed in. */
import { Effect, Layer, Option } from "effect"
import { Flag } from "effect/cli"
import { DatabaseUrl } from "../Daemon.ts"
import * as Jobs from "../Jobs.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import * as Lives from "../jobs/Lives.ts"
import { readersAtOnce, SyncUserKillmails } from "../own-killmails/SyncUserKillmails.ts"
import { Settings, userAgentFor } from "../Settings.ts"
import { KillmailLists, type ListStatus } from "../store/KillmailLists.ts"
import { KillmailPilots } from "../store/KillmailPilots.ts"
import { print, table } from "./Output.ts"
import { makeProgress } from "./Progress.ts"
import { refuse } from "./Refusal.ts"

export const character = Flag.Int("character").pipe(
  Flag.withDescription("Only this pilot, by character id; without it all who signed in"),
  Flag.optional
)

/** Milliseconds between two looks at how far the jobs are. */
const lookMillis = 500

/** Puts the jobs of these pilots into the queue, for now; those that run already are left alone. Returns whose they are. */
export const queuePilots = Effect.fnUntraced(function*(
  command: string,
  only: Option.Option<number>,
  { readsAll }: { readonly readsAll: boolean }
) {
  const pilots = yield* KillmailPilots.use(({ pilots }) => pilots(Option.getOrUndefined(only)))
  if (Option.isSome(only) && pilots.length === 0) {
    return yield* refuse(`${command}: --character got ${only.value}, wants a pilot who signed in and has a token.`)
  }
  const jobs = pilots.map((character_id) => ({ character_id, is_asked: true, reads_all: readsAll }))
  yield* JobQueue.use((queue) => queue.addAll(SyncUserKillmails, jobs, { atOnce: readersAtOnce }))
  return pilots
})

/** Reads all pages of all lists, takes its part in the jobs, and ends when what they name is stored or given up. */
export const backfillPilots = Effect.fnUntraced(function*(only: Option.Option<number>, asJson: boolean) {
  const lists = yield* KillmailLists
  const queue = yield* JobQueue
  const url = yield* DatabaseUrl
  const settings = yield* Settings
  yield* Effect.catch(
    userAgentFor(settings, settings.esiUrl),
    ({ message }) => refuse(`backfill user-killmails: ${message}`)
  )
  const pilots = yield* queuePilots("backfill user-killmails", only, { readsAll: true })
  yield* Layer.build(Lives.layer(Lives.inThisProcess((life) => Jobs.ownKillmailsLayer(url, life))))
  const report = yield* makeProgress(asJson)
  const keys = pilots.map(keyOf)
  const told = new Set<string>()
  let most = 0
  for (;;) {
    const waiting = yield* queue.present(keys)
    const left = yield* lists.coming(pilots)
    const read = (yield* lists.statuses({ characterIds: pilots })).filter(({ character_id }) =>
      !waiting.has(keyOf(character_id))
    )
    for (const list of read) {
      if (told.has(nameOf(list)) || asJson) continue
      told.add(nameOf(list))
      yield* Effect.sync(() => process.stderr.write(`${lineOf(list)}\n`))
    }
    if (waiting.size === 0 && left === 0) {
      const failures = yield* queue.failures(SyncUserKillmails.name, keys)
      return { pilots: pilots.length, lists: read.map(shownList), failures: failures.map(({ error }) => error) }
    }
    most = Math.max(most, left)
    yield* report(
      waiting.size > 0
        ? { what: "lists", done: keys.length - waiting.size, total: keys.length, unit: "pilots" }
        : { what: "ESI", done: most - left, total: most, unit: "killmails" }
    )
    yield* Effect.sleep(lookMillis)
  }
})

/** Fails with a sentence unless all was done. */
export const tellPilots = Effect.fnUntraced(function*(
  asJson: boolean,
  outcome: Effect.Success<ReturnType<typeof backfillPilots>>
) {
  const { failures, lists, pilots } = outcome
  const headings = ["pilot", "list", "found", "new", "known", "failed"]
  const rows = lists.map((list) => [
    list.name,
    list.kind,
    ...[list.found, list.new, list.known, list.failed].map(String)
  ])
  yield* print(asJson, outcome, pilots === 0 ? "Nobody has signed in." : table(headings, rows))
  const [first] = failures
  if (first !== undefined) {
    return yield* refuse(`backfill user-killmails: the lists of ${failures.length} pilots could not be read: ${first}`)
  }
  const failed = lists.reduce((sum, list) => sum + list.failed, 0)
  if (failed > 0) {
    return yield* refuse(`backfill user-killmails: ${failed} killmails could not be had; see the table dead_letters.`)
  }
})

const keyOf = (character_id: number): string => SyncUserKillmails.key({ character_id })!

const nameOf = ({ id, kind }: ListStatus): string => `${kind} ${id}`

const lineOf = ({ failed, found, kind, known, name, new: added }: ListStatus): string =>
  `${name}${
    kind === "corporation" ? " (corporation)" : ""
  }: ${found} found, ${added} new, ${known} known, ${failed} failed`

const shownList = ({ character_id, failed, found, id, kind, known, name, new: added }: ListStatus) => ({
  character_id,
  name,
  kind,
  id,
  found,
  new: added,
  known,
  failed
})
