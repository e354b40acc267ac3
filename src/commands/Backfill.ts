/** `killmaild backfill`: history, brought in day by day from EVE Ref, zKillboard or EVE-KILL. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Clock, Console, Effect, Layer, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { readdir, stat } from "node:fs/promises"
import { join, resolve } from "node:path"
import { EveRefClient, type EveRefError } from "../everef/EveRefClient.ts"
import { dayOfArchive, firstDay, isWithin, type Range, yearsOf } from "../history/Days.ts"
import { killmailArchives } from "../history/ImportDay.ts"
import { Imports } from "../store/Imports.ts"
import { EveKill } from "../upstreams/EveKill.ts"
import { patiently, type UpstreamError } from "../upstreams/PoliteClient.ts"
import { ZkbHistory } from "../upstreams/ZkbHistory.ts"
import { backfillDays, type Day, type Due, tell } from "./BackfillDays.ts"
import { readDay } from "./Day.ts"
import { stores } from "./OnDatabase.ts"
import { json } from "./Output.ts"
import { refuse } from "./Refusal.ts"

const date = (name: string, meaning: string) =>
  Flag.String(name).pipe(Flag.withDescription(`${meaning}, YYYY-MM-DD`), Flag.optional)

const dates = {
  start: date("start-date", `First day; without it ${firstDay}, the first there is`),
  end: date("end-date", "Last day; without it the newest there is")
}

const path = Flag.String("path").pipe(
  Flag.withDescription("Reads archives (killmails-YYYY-MM-DD.tar.bz2) from a directory, or one file, and asks nobody"),
  Flag.optional
)

interface Dates {
  readonly start: Option.Option<string>
  readonly end: Option.Option<string>
}

const rangeOf = Effect.fnUntraced(function*(command: string, { end, start }: Dates) {
  const today = new Date(yield* Clock.currentTimeMillis).toISOString().slice(0, 10)
  const first = yield* readDay(command, "start-date", Option.getOrElse(start, () => firstDay))
  const last = yield* readDay(command, "end-date", Option.getOrElse(end, () => today))
  if (first > last) {
    return yield* refuse(`${command}: --start-date ${first} is after --end-date ${last}, wants it before.`)
  }
  return { first, last } satisfies Range as Range
})

const upstreams = Layer.mergeAll(EveRefClient.layer, ZkbHistory.layer, EveKill.layer).pipe(
  Layer.provideMerge(stores),
  Layer.provideMerge(NodeHttpClient.layerUndici)
)
type Upstreams = Layer.Success<typeof upstreams>

/** Brings in what is due, and says how that went. */
const run = <E>(command: string, asJson: boolean, due: Effect.Effect<Due, E, Upstreams>) =>
  Effect.scoped(Effect.gen(function*() {
    const outcome = yield* Effect.flatMap(due, (due) => backfillDays(due, asJson)).pipe(Effect.provide(upstreams))
    return yield* tell(command, asJson, outcome)
  })).pipe(
    Effect.onInterrupt(() =>
      Console.error(
        "Stopped. What was read is kept, and the other days are in the queue: a daemon goes on with them, and so does the " +
          "same command."
      )
    )
  )

/** Days with how many killmails, or another mark, that are not here as they are there. */
const dueOf = Effect.fnUntraced(function*(source: Day["source"], range: Range, marks: ReadonlyMap<string, string>) {
  const here = yield* Imports.use((imports) => imports.read(source, range.first, range.last))
  const days = [...marks].filter(([day]) => isWithin(range, day))
  const due = days.filter(([day, mark]) => here.get(day)?.listed !== mark)
  return {
    source,
    range,
    unchanged: days.length - due.length,
    days: due.map(([day, listed]): Day => ({ source, day, listed }))
  } satisfies Due as Due
})

const everef = Command.make(
  "everef",
  { ...dates, path, json },
  (input) =>
    Effect.flatMap(rangeOf("backfill everef", input), (range) =>
      Option.match(input.path, {
        onNone: () => run("backfill everef", input.json, atEveRef(range)),
        // What is wrong with the files is said before a database is looked for.
        onSome: (path) =>
          Effect.flatMap(inFiles(path, range), (due) => run("backfill everef", input.json, Effect.succeed(due)))
      }))
).pipe(
  Command.withDescription("Import killmails of the past from EVE Ref's day archives: all that are not here yet")
)

const zkillboard = Command.make(
  "zkillboard",
  { ...dates, json },
  (input) =>
    Effect.flatMap(
      rangeOf("backfill zkillboard", input),
      (range) =>
        run("backfill zkillboard", input.json, listedBy("zkillboard", range, ZkbHistory.use(({ totals }) => totals)))
    )
).pipe(
  Command.withDescription(
    "Import killmails of the past from zKillboard's lists of days; for those without a body ESI is asked"
  )
)

const evekill = Command.make(
  "eve-kill",
  { ...dates, json },
  (input) =>
    Effect.flatMap(
      rangeOf("backfill eve-kill", input),
      (range) => run("backfill eve-kill", input.json, listedBy("evekill", range, EveKill.use(({ totals }) => totals)))
    )
).pipe(
  Command.withDescription(
    "Import killmails of the past from EVE-KILL: bodies from the last year's feed; for older ones ESI is asked"
  )
)

const commandOf = { zkillboard: "backfill zkillboard", evekill: "backfill eve-kill" }

const listedBy = Effect.fnUntraced(function*<R>(
  source: "zkillboard" | "evekill",
  range: Range,
  totals: Effect.Effect<ReadonlyMap<string, number>, UpstreamError, R>
) {
  const counts = yield* patiently(totals).pipe(
    Effect.catchTag("UpstreamUnavailable", ({ message }) => Effect.fail(refuse(`${commandOf[source]}: ${message}`)))
  )
  return yield* dueOf(source, range, new Map([...counts].map(([day, count]) => [day, `${count} killmails`])))
})

const inFiles = (path: string, range: Range) =>
  Effect.tryPromise({
    try: async () => {
      const isDirectory = (await stat(path)).isDirectory()
      return isDirectory ? (await readdir(path, { recursive: true })).map((name) => join(path, name)) : [path]
    },
    catch: (cause) =>
      refuse(`backfill everef: ${path} cannot be read: ${cause instanceof Error ? cause.message : cause}.`)
  }).pipe(
    Effect.map((files) =>
      files.flatMap((file) => {
        const day = dayOfArchive(file)
        return day === undefined ? [] : [{ day, path: resolve(file) }]
      })
    ),
    Effect.filterOrElse(
      (archives) => archives.length > 0,
      () => Effect.fail(refuse(`backfill everef: ${path} holds no archive, wants killmails-YYYY-MM-DD.tar.bz2.`))
    ),
    Effect.map((archives): Due => ({
      source: "everef",
      range,
      unchanged: 0,
      days: archives.filter(({ day }) => isWithin(range, day)).map(({ day, path }) => ({ source: "everef", day, path }))
    }))
  )

const atEveRef = Effect.fnUntraced(function*(range: Range) {
  const listed = yield* whenAllowed(EveRefClient.use((client) => client.listing(killmailArchives, yearsOf(range))))
  return yield* dueOf("everef", range, new Map([...listed].map(([day, { mark }]) => [day, mark])))
})

const whenAllowed = <A, R>(question: Effect.Effect<A, EveRefError, R>) =>
  question.pipe(
    Effect.tapErrorTag("EveRefPaused", ({ waitMillis }) => Effect.sleep(waitMillis)),
    Effect.retry({ while: ({ _tag }) => _tag === "EveRefPaused" }),
    Effect.catchTag(["EveRefUnavailable", "EveRefPaused"], ({ message }) =>
      Effect.fail(refuse(`backfill everef: ${message}`)))
  )

export const backfillCommand = Command.make("backfill").pipe(
  Command.withDescription("Bring in killmails of the past; what is here already is left alone"),
  Command.withSubcommands([everef, zkillboard, evekill])
)
