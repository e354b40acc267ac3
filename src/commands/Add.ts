/** `killmaild add`: names one killmail by hand and waits for the end of its walk. */
import { Effect, Layer, Option, Schema } from "effect"
import { Argument, Command } from "effect/cli"
import { KillmailHash, type KillmailRef, refFromUrl } from "../domain/Killmail.ts"
import { keyOf } from "../intake/Hearing.ts"
import { Submissions } from "../intake/Submissions.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { stores } from "./OnDatabase.ts"
import { json, print } from "./Output.ts"
import { refuse } from "./Refusal.ts"

/** Milliseconds to wait for the daemon to fetch it, and between looks. */
const patience = 60_000
const interval = 250

const refOf = (first: string, second: Option.Option<string>): KillmailRef | undefined => {
  if (Option.isNone(second)) return refFromUrl(first)
  const hash = second.value.toLowerCase()
  return /^[1-9]\d{0,14}$/.test(first) && Schema.is(KillmailHash)(hash)
    ? { killmail_id: Number(first), hash }
    : undefined
}

/** Ends when the killmail is stored; says whether it was there before. */
const submitAndWait = Effect.fnUntraced(function*(ref: KillmailRef) {
  const id = ref.killmail_id
  const { hash, status } = yield* (yield* Submissions).submit(ref)
  if (status === "known" && hash !== ref.hash) {
    return yield* refuse(`add: killmail ${id} is stored already, and its hash is ${hash}, not ${ref.hash}.`)
  }
  if (status === "known") return "known" as const
  if (status === "refused_before") {
    return yield* refuse(
      `add: ESI refused killmail ${id} with this hash before (see the table dead_letters); killmaild queue retry ` +
        "ingest_killmail --failed asks again."
    )
  }
  const feeds = yield* FeedStore
  for (let waited = 0; waited < patience; waited += interval) {
    const end = yield* feeds.endOf(id, keyOf(ref))
    if (end?.stored === true) return "stored" as const
    if (end !== undefined) return yield* refuse(`add: killmail ${id} became a dead letter: ${end.error}`)
    yield* Effect.sleep(interval)
  }
  return yield* refuse(
    `add: killmail ${id} is queued, but was not fetched within a minute: is a daemon running (killmaild serve)?`
  )
})

export const add = Command.make(
  "add",
  {
    first: Argument.String("id-or-url").pipe(Argument.withDescription("Killmail id, or the whole ESI URL")),
    hash: Argument.String("hash").pipe(Argument.withDescription("40 hex digits"), Argument.optional),
    json
  },
  Effect.fnUntraced(function*(input) {
    const ref = refOf(input.first, input.hash)
    if (ref === undefined) {
      return yield* refuse(
        "add: wants a killmail id and its hash of 40 hex digits, or https://esi.evetech.net/killmails/{id}/{hash}/."
      )
    }
    const status = yield* submitAndWait(ref).pipe(
      Effect.provide(Submissions.layer.pipe(Layer.provideMerge(stores)))
    )
    const text = `Killmail ${ref.killmail_id} is stored${status === "known" ? " already" : ""}.`
    yield* print(input.json, { ...ref, status }, text)
  })
).pipe(Command.withDescription("Add one killmail by hand, and wait until it is stored"))
