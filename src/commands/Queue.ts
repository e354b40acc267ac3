/** `killmaild queue …`: what waits, runs and failed, and what to do about dead letters. */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { JobQueue, type JobStats } from "../jobs/JobQueue.ts"
import { stores } from "./OnDatabase.ts"
import { json, print, table } from "./Output.ts"
import { refuse } from "./Refusal.ts"
import { character, queuePilots } from "./UserKillmails.ts"

const task = Argument.String("task").pipe(Argument.withDescription("Name of a task, such as ingest_killmail"))
const failed = Flag.Boolean("failed").pipe(
  Flag.withDescription("Confirms that dead letters are meant"),
  Flag.withDefault(false)
)

const columns = ["task", "priority", "waiting", "scheduled", "active", "failed", "completed", "oldest_waiting"] as const

const textOf = (row: JobStats, column: typeof columns[number]): string => {
  const value = row[column]
  return value === null ? "" : value instanceof Date ? value.toISOString() : String(value)
}

const stats = Command.make("stats", { task: Argument.optional(task), json }, (input) =>
  Effect.gen(function*() {
    const rows = yield* (yield* JobQueue).stats(Option.getOrUndefined(input.task))
    const text = rows.length === 0
      ? Option.match(input.task, {
        onNone: () => "There are no jobs.",
        onSome: (name) => `There are no jobs of ${name}.`
      })
      : table(columns, rows.map((row) => columns.map((column) => textOf(row, column))))
    yield* print(input.json, rows, text)
  }).pipe(Effect.provide(stores))).pipe(
    Command.withDescription("Jobs by task and priority: waiting, scheduled, active, failed, completed in 24 h")
  )

/** Both verbs work on the dead letters of one task, and on nothing else. */
const onDeadLetters = (
  verb: "clear" | "retry",
  act: (queue: JobQueue["Service"]) => (task: string) => ReturnType<JobQueue["Service"]["clearFailed"]>,
  done: string
) =>
  Command.make(verb, { task, failed, json }, (input) =>
    Effect.gen(function*() {
      if (!input.failed) {
        return yield* refuse(
          `queue ${verb}: works on dead letters only, wants --failed to confirm that they are meant.`
        )
      }
      const count = yield* Effect.gen(function*() {
        const queue = yield* JobQueue
        const tasks = yield* queue.tasks
        if (tasks.includes(input.task)) return yield* act(queue)(input.task)
        return yield* refuse(`queue ${verb}: no task is called ${input.task}, wants one of ${tasks.join(", ")}.`)
      }).pipe(Effect.provide(stores))
      const letters = count === 1 ? "1 dead letter" : `${count} dead letters`
      yield* print(input.json, { task: input.task, count }, `${letters} of ${input.task} ${done}.`)
    }))

const clear = onDeadLetters("clear", (queue) => queue.clearFailed, "forgotten").pipe(
  Command.withDescription("Forget the dead letters of a task")
)

const retry = onDeadLetters("retry", (queue) => queue.retryFailed, "put back into the queue").pipe(
  Command.withDescription("Put the dead letters of a task back into the queue")
)

const users = Command.make("users", { character, json }, (input) =>
  Effect.gen(function*() {
    const pilots = yield* queuePilots("queue users", input.character, { readsAll: false })
    const count = pilots.length
    yield* print(
      input.json,
      { count },
      `The killmails of ${count === 1 ? "1 pilot" : `${count} pilots`} are asked for.`
    )
  }).pipe(Effect.provide(stores))).pipe(
    Command.withDescription("Ask ESI now for the own killmails of pilots who signed in")
  )

export const queue = Command.make("queue").pipe(
  Command.withDescription("Look at the job queue and its dead letters"),
  Command.withSubcommands([stats, clear, retry, users])
)
