/** `killmaild backfill`: history, brought in day by day from EVE Ref, zKillboard or EVE-KILL. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Console, Effect, Layer, Option, type Scope } from "effect"
import { Command, Flag } from "effect/cli"
import { isWithin, type Range, yearsOf } from "../domain/Days.ts"
import { firstDay, history, killmailArchives } from "../history/Days.ts"
import { ImportDay } from "../history/ImportDay.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { Imports } from "../store/Imports.ts"
import { EveKill } from "../upstreams/EveKill.ts"
import { EveRefClient } from "../upstreams/EveRefClient.ts"
import { patiently, type UpstreamError } from "../upstreams/PoliteClient.ts"
import { type Question, ZkbApi } from "../upstreams/ZkbApi.ts"
import { ZkbHistory } from "../upstreams/ZkbHistory.ts"
import { backfillDays, type Day, type Due, tell } from "./BackfillDays.ts"
import { backfillEntity, tellEntity } from "./BackfillEntity.ts"
import { dueInFiles } from "./BackfillFiles.ts"
import { rangeFlags, readRange } from "./Day.ts"
import { stores } from "./OnDatabase.ts"
import { json } from "./Output.ts"
import { waitFor } from "./Progress.ts"
import { refuse } from "./Refusal.ts"
import { backfillPilots, character, tellPilots } from "./UserKillmails.ts"

const dates = rangeFlags(firstDay)

const path = Flag.String("path").pipe(
  Flag.withDescription("Reads archives (killmails-YYYY-MM-DD.tar.bz2) from a directory, or one file, and asks nobody"),
  Flag.optional
)

const upstreams = Layer.mergeAll(EveRefClient.layer, ZkbHistory.layer, ZkbApi.layer, EveKill.layer).pipe(
  Layer.provideMerge(stores),
  Layer.provideMerge(NodeHttpClient.layerUndici)
)
type Upstreams = Layer.Success<typeof upstreams>

/** Brings in what is due, and says how that went. */
const run = <E>(command: string, asJson: boolean, due: Effect.Effect<Due, E, Upstreams>) =>
  resumable(Effect.flatMap(due, (due) => backfillDays(due, asJson))).pipe(
    Effect.flatMap((outcome) => tell(command, asJson, outcome))
  )

/** The jobs that this process takes part in end before their connections do. */
const resumable = <A, E>(work: Effect.Effect<A, E, Upstreams | Scope.Scope>) =>
  Effect.scoped(work).pipe(
    Effect.provide(upstreams),
    Effect.onInterrupt(() =>
      Console.error(
        "Stopped. What was read is kept, and the rest is in the queue: a daemon goes on with it, and so does the same command."
      )
    )
  )

/** Days with how many killmails, or another mark, that are not here as they are there, or whose import died near its end. */
const dueOf = Effect.fnUntraced(function*(source: Day["source"], range: Range, marks: ReadonlyMap<string, string>) {
  const here = yield* Imports.use((imports) => imports.read(source, range.first, range.last))
  const days = [...marks].filter(([day]) => isWithin(range, day)).map(([day, listed]): Day => ({ source, day, listed }))
  const queued = yield* JobQueue.use((queue) => queue.present(days.map((day) => ImportDay.key(day)!)))
  const due = days.filter((day) => here.get(day.day)?.listed !== day.listed || queued.has(ImportDay.key(day)!))
  return { source, range, unchanged: days.length - due.length, days: due, unusable: [] } satisfies Due as Due
})

const everef = Command.make("everef", { ...dates, path, json }, (input) =>
  Effect.gen(function*() {
    const range = yield* readRange("backfill everef", input, yield* history)
    // What is wrong with the files is said before a database is looked for.
    const found = Option.isSome(input.path)
      ? Effect.succeed(yield* dueInFiles(input.path.value, range))
      : atEveRef(range)
    return yield* run("backfill everef", input.json, found)
  })).pipe(
    Command.withDescription("Import killmails of the past from EVE Ref's day archives: all that are not here yet")
  )

const entity = (kind: Question["kind"]) =>
  Flag.Int(kind).pipe(Flag.withDescription(`Only what zKillboard has of this ${kind}`), Flag.optional)

const entities = { character: entity("character"), corporation: entity("corporation"), alliance: entity("alliance") }

const zkillboard = Command.make("zkillboard", { ...dates, ...entities, json }, (input) =>
  Effect.gen(function*() {
    const range = yield* readRange("backfill zkillboard", input, yield* history)
    const question = yield* questionOf(input)
    if (question === undefined) return yield* run("backfill zkillboard", input.json, listedBy("zkillboard", range))
    const outcome = yield* resumable(backfillEntity(question, range, input.json))
    return yield* tellEntity(input.json, outcome)
  })).pipe(
    Command.withDescription(
      "Import killmails of the past from zKillboard: by its lists of days, or all of one character, corporation or alliance"
    )
  )

const questionOf = Effect.fnUntraced(function*(
  input: { readonly [Kind in Question["kind"]]: Option.Option<number> }
) {
  const [question, another] = (["character", "corporation", "alliance"] as const).flatMap((kind): Array<Question> =>
    Option.match(input[kind], { onNone: () => [], onSome: (id) => [{ kind, id }] })
  )
  if (question !== undefined && another !== undefined) {
    return yield* refuse(`backfill zkillboard: --${another.kind} came beside --${question.kind}, wants one of them.`)
  }
  if (question !== undefined && question.id <= 0) {
    return yield* refuse(`backfill zkillboard: --${question.kind} got ${question.id}, wants an id above 0.`)
  }
  return question
})

const evekill = Command.make("eve-kill", { ...dates, json }, (input) =>
  Effect.gen(function*() {
    const range = yield* readRange("backfill eve-kill", input, yield* history)
    return yield* run("backfill eve-kill", input.json, listedBy("evekill", range))
  })).pipe(
    Command.withDescription(
      "Import killmails of the past from EVE-KILL: bodies from the last year's feed; for older ones ESI is asked"
    )
  )

const userKillmails = Command.make("user-killmails", { character, json }, (input) =>
  Effect.flatMap(
    resumable(backfillPilots(input.character, input.json)),
    (outcome) => tellPilots(input.json, outcome)
  )).pipe(
    Command.withDescription("Bring in all that ESI lists of the own killmails of pilots who signed in")
  )

interface List {
  readonly command: string
  /** How many killmails each day has. */
  readonly totals: Effect.Effect<ReadonlyMap<string, number>, UpstreamError, ZkbHistory | EveKill>
}

const lists: Readonly<Record<"zkillboard" | "evekill", List>> = {
  zkillboard: { command: "backfill zkillboard", totals: ZkbHistory.use(({ totals }) => totals) },
  evekill: { command: "backfill eve-kill", totals: EveKill.use(({ totals }) => totals) }
}

const listedBy = Effect.fnUntraced(function*(source: keyof typeof lists, range: Range) {
  const { command, totals } = lists[source]
  const counts = yield* answerTo(command, totals)
  return yield* dueOf(source, range, new Map([...counts].map(([day, count]) => [day, `${count} killmails`])))
})

const answerTo = <A, R>(command: string, question: Effect.Effect<A, UpstreamError, R>) =>
  Effect.catchTag(
    patiently(question, waitFor),
    "UpstreamUnavailable",
    ({ message }) => Effect.fail(refuse(`${command}: ${message}`))
  )

const atEveRef = Effect.fnUntraced(function*(range: Range) {
  const listing = EveRefClient.use((client) => client.listing(killmailArchives, yearsOf(range)))
  const listed = yield* answerTo("backfill everef", listing)
  return yield* dueOf("everef", range, new Map([...listed].map(([day, { mark }]) => [day, mark])))
})

export const backfillCommand = Command.make("backfill").pipe(
  Command.withDescription("Bring in killmails of the past; what is here already is left alone"),
  Command.withSubcommands([everef, zkillboard, evekill, userKillmails])
)
