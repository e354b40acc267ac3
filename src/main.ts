/** The command line: which commands there are, and what an error looks like from outside. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Layer, Predicate, Runtime } from "effect"
import { CliConfig, CliError, Command, GlobalFlag } from "effect/cli"
import { add } from "./commands/Add.ts"
import { backfillCommand } from "./commands/Backfill.ts"
import { benchmark } from "./commands/Benchmark.ts"
import { checkDataCommand } from "./commands/CheckData.ts"
import { databaseUrl } from "./commands/DatabaseUrl.ts"
import { demo } from "./commands/Demo.ts"
import { doctor } from "./commands/Doctor.ts"
import { gaps } from "./commands/Gaps.ts"
import { prices } from "./commands/Prices.ts"
import { queue } from "./commands/Queue.ts"
import { sandbox } from "./commands/Sandbox.ts"
import { migrate, restored } from "./commands/Schema.ts"
import { serve } from "./commands/Serve.ts"
import { settings } from "./commands/ShowSettings.ts"
import { staticData } from "./commands/StaticData.ts"
import { statistics } from "./commands/Statistics.ts"
import { version } from "./Settings.ts"

const killmaild = Command.make("killmaild").pipe(
  Command.withDescription("Your own complete, live copy of EVE Online's killmails in one Postgres"),
  Command.withSubcommands([
    serve,
    demo,
    sandbox,
    migrate,
    settings,
    doctor,
    add,
    backfillCommand,
    queue,
    gaps,
    staticData,
    prices,
    checkDataCommand,
    statistics,
    databaseUrl,
    restored,
    benchmark
  ])
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
    const foreseen = cause.reasons.some(Cause.isFailReason) && Predicate.hasProperty(error, "message")
    process.stderr.write(`killmaild: ${foreseen ? error.message : Cause.pretty(cause)}\n`)
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
