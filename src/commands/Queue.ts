import { Console, Effect, Option } from "effect"
import { Argument, CliError, Command, Flag } from "effect/cli"
import { JobQueue, type JobStats } from "../jobs/JobQueue.ts"
import { fromEnvironment } from "./Environment.ts"
import { stores } from "./OnDatabase.ts"
import { table } from "./Table.ts"

const json = Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))
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
    yield* Console.log(
      input.json
        ? JSON.stringify(rows)
        : rows.length === 0
        ? "The queue is empty."
        : table(columns, rows.map((row) => columns.map((column) => textOf(row, column))))
    )
  })).pipe(Command.withDescription("Jobs by task and priority: waiting, scheduled, active, failed, completed in 24 h"))

const mean = (flag: boolean, verb: string) =>
  flag ? Effect.void : Effect.fail(
    new CliError.UserError({
      cause: new Error(`queue ${verb} works on dead letters only: add --failed.`)
    })
  )

const clear = Command.make("clear", { task, failed }, (input) =>
  Effect.gen(function*() {
    yield* mean(input.failed, "clear")
    const count = yield* (yield* JobQueue).clearFailed(input.task)
    yield* Console.log(`${count} dead letters of ${input.task} removed.`)
  })).pipe(Command.withDescription("Forget the dead letters of a task"))

const retry = Command.make("retry", { task, failed }, (input) =>
  Effect.gen(function*() {
    yield* mean(input.failed, "retry")
    const count = yield* (yield* JobQueue).retryFailed(input.task)
    yield* Console.log(`${count} dead letters of ${input.task} are in the queue again.`)
  })).pipe(Command.withDescription("Put the dead letters of a task back into the queue"))

export const queue = Command.make("queue").pipe(
  Command.withDescription("Look at the job queue and its dead letters"),
  Command.withSubcommands([stats, clear, retry]),
  Command.provide(stores),
  Command.provide(fromEnvironment)
)
