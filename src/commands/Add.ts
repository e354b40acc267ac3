import { Console, Effect, Option } from "effect"
import { Schema } from "effect"
import { Argument, CliError, Command } from "effect/cli"
import { KillmailHash, type KillmailRef, refFromUrl } from "../domain/Killmail.ts"
import { keyOf } from "../intake/Hearing.ts"
import { Submissions } from "../intake/Submissions.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { fromEnvironment } from "./Environment.ts"
import { stores } from "./OnDatabase.ts"

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

const complain = (message: string) => Effect.fail(new CliError.UserError({ cause: new Error(message) }))

export const add = Command.make(
  "add",
  {
    first: Argument.String("id-or-url").pipe(Argument.withDescription("Killmail id, or the whole ESI URL")),
    hash: Argument.String("hash").pipe(Argument.withDescription("40 hex digits"), Argument.optional)
  },
  Effect.fnUntraced(function*({ first, hash }) {
    const ref = refOf(first, hash)
    if (ref === undefined) {
      return yield* complain(
        "add: wants a killmail id and its hash of 40 hex digits, or https://esi.evetech.net/killmails/{id}/{hash}/."
      )
    }
    const { status } = yield* (yield* Submissions).submit(ref)
    if (status === "known") return yield* Console.log(`Killmail ${ref.killmail_id} is stored already.`)
    if (status === "refused_before") {
      return yield* complain(`ESI refused killmail ${ref.killmail_id} with this hash before: see dead_letters.`)
    }
    const feeds = yield* FeedStore
    for (let waited = 0; waited < patience; waited += interval) {
      const end = yield* feeds.endOf(ref.killmail_id, keyOf(ref))
      if (end?.stored === true) return yield* Console.log(`Killmail ${ref.killmail_id} is stored.`)
      if (end !== undefined) return yield* complain(`Killmail ${ref.killmail_id} became a dead letter: ${end.error}`)
      yield* Effect.sleep(interval)
    }
    return yield* complain(
      `Killmail ${ref.killmail_id} is queued, but was not fetched within a minute. Does a daemon run (killmaild serve)?`
    )
  })
).pipe(
  Command.withDescription("Add one killmail by hand, and wait until it is stored"),
  Command.provide(Submissions.layer),
  Command.provide(stores),
  Command.provide(fromEnvironment)
)
