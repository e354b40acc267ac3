/** `killmaild demo`: the sandbox and a daemon that listens to it, in one process, with a line for every killmail. */
import { Console, Effect, Layer, Redacted } from "effect"
import { Command } from "effect/cli"
import { createServer } from "node:net"
import { join } from "node:path"
import { Server } from "../api/Server.ts"
import { LiveKillmails } from "../broadcast/LiveKillmails.ts"
import * as Daemon from "../Daemon.ts"
import type { KillmailDocument } from "../domain/Document.ts"
import { nameOf } from "../sandbox/People.ts"
import type { Sandbox } from "../sandbox/Sandbox.ts"
import { Settings } from "../Settings.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"

/** New Eden has a killmail every four seconds; five times that is something to see. */
const speed = 5
const seed = "demo"

const settingsFor = (sandbox: Sandbox, port: number) => ({
  KILLMAILD_LOG_LEVEL: "warn",
  KILLMAILD_CONTACT: "demo@localhost",
  ...process.env,
  DATABASE_URL: undefined,
  KILLMAILD_DATA_DIR: join(process.env["KILLMAILD_DATA_DIR"] ?? ".killmaild", "demo"),
  KILLMAILD_PORT: String(port),
  KILLMAILD_FEEDS: "r2z2,redisq",
  KILLMAILD_R2Z2_RATE: String(4 * speed),
  KILLMAILD_R2Z2_POLL: `${6 / speed}s`,
  ...sandbox.environment
})

/** The port that is set, or 8080, or any where that is taken. */
const choosePort = Effect.callback<number>((resume) => {
  const wanted = Number(process.env["KILLMAILD_PORT"] ?? 8080)
  const probe = createServer()
  probe.once("error", () => resume(Effect.succeed(process.env["KILLMAILD_PORT"] === undefined ? 0 : wanted)))
  probe.listen(wanted, "127.0.0.1", () => probe.close(() => resume(Effect.succeed(wanted))))
})

const named = (id: number): string => nameOf(id) ?? String(id)

const lineOf = (
  { attackers, killmail_id, killmail_time, sequence, solar_system_id, victim }: KillmailDocument
): string => {
  const finalBlow = attackers.find((attacker) => attacker.final_blow)
  const killer = finalBlow?.character_id ?? finalBlow?.corporation_id ?? finalBlow?.faction_id
  return [
    `#${sequence}`.padEnd(7),
    killmail_time.slice(11, 19),
    `${named(victim.ship_type_id)} of ${named(victim.character_id ?? victim.corporation_id ?? 0)}`,
    `in ${named(solar_system_id)}`,
    `by ${killer === undefined ? "nobody known" : named(killer)}${
      attackers.length > 1 ? ` and ${attackers.length - 1} more` : ""
    }`,
    `· ${killmail_id}`
  ].join("  ")
}

const show = Layer.effectDiscard(Effect.gen(function*() {
  const { url } = yield* Server
  const { dataDir } = yield* Settings
  const live = yield* LiveKillmails
  const databaseUrl = yield* Daemon.DatabaseUrl
  yield* Console.log(`
killmaild listens to a small New Eden on this machine, and keeps what it hears.

  interface   ${url}/docs
  live        ${url.replace("http", "ws")}/ws   send {"action":"subscribe","id":"all"}
  a killmail  ${url}/api/v1/killmails/{id}
  feeds       ${url}/api/v1/feeds
  metrics     ${url}/metrics
  jobs        psql '${Redacted.value(databaseUrl)}' -c 'select * from job_stats'

Ctrl-C ends it; what it stored stays in ${dataDir}.
`)
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      live.listen(({ document, type }) => {
        if (type === "killmail") process.stdout.write(lineOf(document) + "\n")
      })
    ),
    (stop) => Effect.sync(stop)
  )
}))

export const demo = Command.make("demo", {}, () =>
  Effect.scoped(Effect.gen(function*() {
    process.exitCode = 0
    // Loaded here, as a daemon in earnest has no use for it.
    const { start } = yield* Effect.promise(() => import("../sandbox/Sandbox.ts"))
    const sandbox = yield* start({ port: 0, speed, seed, faults: 0, world: "clock" })
    const port = yield* choosePort
    return yield* Layer.launch(show.pipe(Layer.provide(Daemon.wholeInOneProcess))).pipe(
      Effect.provide(Telemetry.layer),
      Effect.provide(Settings.layerFrom(settingsFor(sandbox, port)))
    )
  }))).pipe(
    Command.withDescription("See it work: the daemon on an embedded Postgres, listening to a sandbox on this machine")
  )
