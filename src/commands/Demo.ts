/** `killmaild demo`: the sandbox and a daemon that listens to it, in one process, with a line for every killmail. */
import { Console, Effect, Layer, Redacted, Schedule } from "effect"
import { Command } from "effect/cli"
import { createServer } from "node:net"
import { join } from "node:path"
import { Server } from "../api/Server.ts"
import { LiveKillmails } from "../broadcast/LiveKillmails.ts"
import * as Daemon from "../Daemon.ts"
import type { KillmailDocument } from "../domain/Document.ts"
import type { Sandbox } from "../sandbox/Sandbox.ts"
import { Settings } from "../Settings.ts"
import { Names } from "../store/Names.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"

/** New Eden has a killmail every four seconds; five times that is something to see. */
const speed = 5
const seed = "demo"

/** A line waits so many milliseconds for names and value; then ids stand where names should, and no value. */
const patience = 30_000

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

/** What a line names. */
const partsOf = ({ attackers, solar_system_id, victim }: KillmailDocument) => {
  const finalBlow = attackers.find((attacker) => attacker.final_blow)
  return {
    ship: victim.ship_type_id,
    system: solar_system_id,
    loser: victim.character_id ?? victim.corporation_id,
    killer: finalBlow?.character_id ?? finalBlow?.corporation_id ?? finalBlow?.faction_id
  }
}
const idsOf = (document: KillmailDocument): ReadonlyArray<number> =>
  Object.values(partsOf(document)).filter((id) => id !== undefined)

const isk = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 })

const lineOf = (document: KillmailDocument, names: ReadonlyMap<number, string>): string => {
  const { attackers, killmail_id, killmail_time, sequence, value } = document
  const { killer, loser, ship, system } = partsOf(document)
  const named = (id: number | undefined): string => id === undefined ? "nobody known" : names.get(id) ?? String(id)
  return [
    `#${sequence}`.padEnd(7),
    killmail_time.slice(11, 19),
    `${named(ship)} of ${named(loser)}`,
    `in ${named(system)}`,
    `by ${named(killer)}${attackers.length > 1 ? ` and ${attackers.length - 1} more` : ""}`,
    ...(value === null ? [] : [`${isk.format(value.total)} ISK`]),
    `· ${killmail_id}`
  ].join("  ")
}

/** Prints a line for every killmail, in order, as soon as all in it is known. */
const printLines = Effect.gen(function*() {
  const live = yield* LiveKillmails
  const names = yield* Names
  const waiting = new Map<number, { readonly document: KillmailDocument; readonly since: number }>()
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      live.listen(({ document, sequence, type }) => {
        const since = type === "killmail" ? performance.now() : waiting.get(sequence)?.since
        if (since !== undefined) waiting.set(sequence, { document, since })
      })
    ),
    (stop) => Effect.sync(stop)
  )
  const printKnown = Effect.gen(function*() {
    const known = yield* names.namesOf([...waiting.values()].flatMap(({ document }) => idsOf(document)))
    for (const [sequence, { document, since }] of waiting) {
      const isPriced = document.value !== null && document.value.total > 0
      const isComplete = isPriced && idsOf(document).every((id) => known.has(id))
      if (!isComplete && performance.now() - since < patience) return
      process.stdout.write(lineOf(document, known) + "\n")
      waiting.delete(sequence)
    }
  })
  yield* Effect.forkScoped(Effect.repeat(Effect.ignore(printKnown), Schedule.spaced("1 second")))
})

const show = Layer.effectDiscard(Effect.gen(function*() {
  const { url } = yield* Server
  const { dataDir } = yield* Settings
  const databaseUrl = yield* Daemon.DatabaseUrl
  yield* Console.log(`
killmaild listens to a small New Eden on this machine, and keeps what it hears.

  interface   ${url}/docs
  live        ${url.replace("http", "ws")}/ws   send {"action":"subscribe","id":"all"}
  a killmail  ${url}/api/v1/killmails/{id}
  feeds       ${url}/api/v1/feeds
  sign in     ${url}/api/v1/auth/sign-in   as one of its pilots; then /api/v1/me/killmails
  metrics     ${url}/metrics
  jobs        psql '${Redacted.value(databaseUrl)}' -c 'select * from job_stats'

Ctrl-C ends it; what it stored stays in ${dataDir}. Killmails appear here once it knows who is on them, some ten seconds
after it heard of them.
`)
  yield* printLines
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
