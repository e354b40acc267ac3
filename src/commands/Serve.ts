/** `killmaild serve`: the daemon, with all its roles or some. */
import { Effect, Layer, Predicate, Schedule } from "effect"
import { Command, Flag } from "effect/cli"
import { FirstChild, forkChild, stop } from "../jobs/JobsProcess.ts"
import { type Role, roles, Settings } from "../Settings.ts"
import { isLostConnection } from "../store/Database.ts"
import { fromEnvironment } from "./Environment.ts"
import { refuse } from "./Refusal.ts"

const wantedRoles = Flag.String("roles").pipe(
  Flag.withDescription(`What this process does, of ${roles.join(",")}`),
  Flag.withDefault(roles.join(","))
)

const oneProcess = Flag.Boolean("one-process").pipe(
  Flag.withDescription("Run the jobs in the daemon's own process: less memory, but what crashes there ends all of it"),
  Flag.withDefault(false)
)

const isRole = (text: string): text is Role => (roles as ReadonlyArray<string>).includes(text)

/** Milliseconds that a stop may take: answers under way get twelve seconds of them, Postgres some more. */
const stopMillis = 25_000

/** Connections that are neither open nor closed can hold up a stop for minutes, one after another. */
const stopInTime = Effect.sync(() => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () =>
      setTimeout(() => {
        process.stderr.write(
          `killmaild: could not stop within ${
            stopMillis / 1000
          } s, and ends: what was under way is taken up by the next start.\n`
        )
        process.exit(1)
      }, stopMillis).unref())
  }
})

const wentAway = (error: unknown): boolean =>
  isLostConnection(error) || Predicate.hasProperty(error, "cause") && isLostConnection(error.cause)

/** Once the settings are known to be good. */
const launch = Effect.fnUntraced(function*(wanted: ReadonlyArray<Role>, oneProcess: boolean) {
  const child = wanted.includes("jobs") && !oneProcess ? yield* jobsProcess : undefined
  const Daemon = yield* Effect.promise(() => import("../Daemon.ts"))
  return yield* Layer.launch(Daemon.layer(wanted, { oneProcess })).pipe(
    Effect.provideService(FirstChild, child),
    // Postgres may go away during the start as at any other time. It is waited for, as at every start.
    Effect.tapError((error) =>
      wentAway(error) ? Effect.logWarning("Postgres went away during the start, which begins again.") : Effect.void
    ),
    Effect.retry({ while: wentAway, schedule: Schedule.spaced("1 second") })
  )
}, Effect.scoped)

/** It loads its code while this process loads its own, which saves half a second of every start. */
const jobsProcess = Effect.acquireRelease(
  Effect.map(Settings, ({ environment }) => forkChild(new URL("../JobsMain.ts", import.meta.url), environment)),
  ({ process }) => stop(process)
)

export const serve = Command.make(
  "serve",
  { roles: wantedRoles, oneProcess },
  Effect.fnUntraced(function*(input) {
    const wanted = input.roles.split(",").map((role) => role.trim())
    if (!wanted.every(isRole)) {
      return yield* refuse(
        `serve: --roles got ${JSON.stringify(input.roles)}, wants a list of ${roles.join(", ")}.`
      )
    }
    yield* stopInTime
    // Stopping is what a daemon is asked for: it is no failure.
    process.exitCode = 0
    return yield* launch(wanted, input.oneProcess).pipe(Effect.provide(fromEnvironment))
  })
).pipe(Command.withDescription("Run the daemon: prepare the schema, then hear, fetch, store and announce killmails"))
