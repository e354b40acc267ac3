/** The command line: which commands there are, and what an error looks like from outside. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Layer, Predicate, Runtime } from "effect"
import { CliConfig, CliError, Command, GlobalFlag } from "effect/cli"
import { version } from "./Settings.ts"
import { messageOf } from "./telemetry/Messages.ts"

/** Each is loaded when it is asked for: the daemon starts sooner without the code of the others. */
const commands = {
  serve: () => import("./commands/Serve.ts").then(({ serve }) => serve),
  demo: () => import("./commands/Demo.ts").then(({ demo }) => demo),
  sandbox: () => import("./commands/Sandbox.ts").then(({ sandbox }) => sandbox),
  migrate: () => import("./commands/Schema.ts").then(({ migrate }) => migrate),
  settings: () => import("./commands/ShowSettings.ts").then(({ settings }) => settings),
  doctor: () => import("./commands/Doctor.ts").then(({ doctor }) => doctor),
  add: () => import("./commands/Add.ts").then(({ add }) => add),
  backfill: () => import("./commands/Backfill.ts").then(({ backfillCommand }) => backfillCommand),
  queue: () => import("./commands/Queue.ts").then(({ queue }) => queue),
  gaps: () => import("./commands/Gaps.ts").then(({ gaps }) => gaps),
  "static-data": () => import("./commands/StaticData.ts").then(({ staticData }) => staticData),
  prices: () => import("./commands/Prices.ts").then(({ prices }) => prices),
  "check-data": () => import("./commands/CheckData.ts").then(({ checkDataCommand }) => checkDataCommand),
  statistics: () => import("./commands/Statistics.ts").then(({ statistics }) => statistics),
  keys: () => import("./commands/Keys.ts").then(({ keys }) => keys),
  seed: () => import("./commands/Seed.ts").then(({ seed }) => seed),
  "database-url": () => import("./commands/DatabaseUrl.ts").then(({ databaseUrl }) => databaseUrl),
  restored: () => import("./commands/Schema.ts").then(({ restored }) => restored),
  benchmark: () => import("./commands/Benchmark.ts").then(({ benchmark }) => benchmark)
}

const names = Object.keys(commands) as ReadonlyArray<keyof typeof commands>
const asked = names.filter((name) => name === process.argv[2])
const subcommands = await Promise.all((asked.length > 0 ? asked : names).map((name) => commands[name]()))

const killmaild = Command.make("killmaild").pipe(
  Command.withDescription("Your own complete, live copy of EVE Online's killmails in one Postgres"),
  Command.withSubcommands(subcommands)
)

/** The log level is a setting; the rest of what the library would add has no use here. */
const flags = CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })

/** One sentence for an error that was foreseen; everything there is for one that was not. */
const explain = (cause: Cause.Cause<unknown>) =>
  Effect.sync(() => {
    if (Cause.hasInterruptsOnly(cause)) return
    const error = Cause.squash(cause)
    // The command line has shown its own already, with the help that fits.
    if (CliError.isCliError(error)) return
    const isForeseen = cause.reasons.some(Cause.isFailReason) && Predicate.hasProperty(error, "message")
    process.stderr.write(`killmaild: ${isForeseen ? messageOf(cause) : Cause.pretty(cause)}\n`)
  })

Command.run(killmaild, { version }).pipe(
  Effect.provide(Layer.merge(NodeServices.layer, flags)),
  Effect.tapCause(explain),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    // Ctrl-C is 130 unless the command said before that it is how it ends.
    teardown: (exit, onExit) =>
      Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
        ? onExit(Number(process.exitCode ?? 130))
        : Runtime.defaultTeardown(exit, onExit)
  })
)
