import { Effect, Layer } from "effect"
import { Command, Flag } from "effect/cli"
import * as Daemon from "../Daemon.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"
import { fromEnvironment } from "./Environment.ts"

const wanted = Flag.String("roles").pipe(
  Flag.withDescription(`What this process does, of ${Daemon.roles.join(",")}`),
  Flag.withDefault(Daemon.roles.join(",")),
  Flag.mapTryCatch(
    (text) => text.split(",").map((role) => roleOf(role.trim())),
    (error) => (error as Error).message
  )
)

const roleOf = (text: string): Daemon.Role => {
  const role = Daemon.roles.find((candidate) => candidate === text)
  if (role === undefined) throw new Error(`--roles: got "${text}", wants a list of ${Daemon.roles.join(", ")}`)
  return role
}

export const serve = Command.make("serve", { roles: wanted }, ({ roles }) => {
  // Stopping is what a daemon is asked for: it is no failure.
  process.exitCode = 0
  return Layer.launch(Daemon.layer(roles)).pipe(
    Effect.provide(Telemetry.layer),
    Effect.provide(fromEnvironment)
  )
}).pipe(Command.withDescription("Run the daemon: prepare the schema, then hear, fetch, store and announce killmails"))
