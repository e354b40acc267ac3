import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, References } from "effect"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as EmbeddedPostgres from "../../src/postgres/EmbeddedPostgres.ts"
import * as Sandbox from "../../src/sandbox/Sandbox.ts"
import * as Database from "../../src/store/Database.ts"
import { eventually, settingsFor } from "../support/TestDaemon.ts"
import { filesOf } from "./Publications.ts"
import { doubleLeads, leaderNow, prepare, type Replica, startDaemons, takenOverAfter } from "./Replicas.ts"
import { excuse } from "./Rig.ts"

const speed = 50
const killmails = Number(process.env["SOAK_REPLICAS"] ?? 2000)
/** Milliseconds in which all of them are to be stored, on a slow machine. */
const patience = 75 * killmails
/** Requests a second of all three in sum, less than one alone could make. */
const r2z2Rate = 80
/** Moves of the cursor after which a leader has settled. */
const settled = 50
/** Files published at a time, so many milliseconds apart: about 200 a second. */
const chunk = 20
const pauseMillis = 100

/** Milliseconds that three daemons may take to start at once. */
const startPatience = 60_000

const publishAll = Effect.fnUntraced(function*(sandbox: Sandbox.Sandbox) {
  let count = 0
  for (const { forEsi, text } of filesOf("replicas", killmails)) {
    if (forEsi !== undefined) sandbox.knowToEsi(forEsi.killmail, forEsi.hash)
    sandbox.publishR2z2(text === undefined ? "hole" : { raw: text })
    if (++count % chunk === 0) yield* Effect.sleep(pauseMillis)
  }
})

/** Requests that arrived within one second, at most. */
const busiestSecond = (requests: ReadonlyArray<{ readonly at: number }>): number => {
  let first = 0
  return requests.reduce((most, { at }, last) => {
    while (requests[first]!.at <= at - 1000) first++
    return Math.max(most, last - first + 1)
  }, 0)
}

describe("three replicas", () => {
  it.live(
    "store each killmail once under one lead at a time, however leaders die or freeze, and soon have another",
    () =>
      Effect.gen(function*() {
        const sandbox = yield* Sandbox.start({ port: 0, speed, seed: "replicas", faults: 0, world: "manual" })
        const directory = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-replicas-"))),
          (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
        )
        // Roles are the server's: it has to be one of its own.
        const { url } = yield* EmbeddedPostgres.start({
          directory: join(directory, "postgres"),
          settings: { fsync: "off" }
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
        const services = yield* Layer.build(Database.layer(Redacted.make(url)))
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* Database.migrate(Redacted.make(url))
          yield* prepare
          const daemons = yield* Effect.acquireRelease(
            Effect.sync(() => startDaemons((replica) => environmentOf(replica, url, sandbox, directory))),
            ({ stop }) => Effect.promise(stop)
          )
          yield* eventually((sql) => leaderNow(sql), (replica) => replica !== undefined, startPatience)
          const publishing = yield* Effect.forkChild(publishAll(sandbox))

          const failovers: Array<{ readonly signal: string; readonly millis: number }> = []
          for (const signal of ["SIGKILL", "SIGSTOP", "SIGKILL"] as const) {
            const victim = (yield* eventually((sql) => leaderNow(sql, settled), (replica) => replica !== undefined))!
            const excused = yield* Effect.forkChild(excuse(sandbox))
            const at = Date.now()
            daemons.signal(victim, signal)
            const millis = yield* eventually((sql) => takenOverAfter(sql, victim, at), (found) => found !== undefined)
            failovers.push({ signal, millis: millis! })
            if (signal === "SIGSTOP") daemons.signal(victim, "SIGCONT")
            yield* Effect.forkChild(Effect.delay(Fiber.interrupt(excused), "1 second"))
          }

          yield* Fiber.join(publishing)
          yield* eventually(
            (sql) => sql<{ n: number }>`select count(*)::int as n from killmail_ledger`,
            ([row]) => row!.n >= killmails,
            patience
          )
          const told = JSON.stringify(failovers)
          for (const { millis, signal } of failovers) assert.isBelow(millis, signal === "SIGKILL" ? 2000 : 15_000, told)
          assert.deepStrictEqual(yield* doubleLeads, [])
          const [stored] = yield* sql`
            select (select count(*)::int from killmail_ledger) as known, (select count(*)::int from killmails) as bodies,
              (select max(sequence)::int from killmail_ledger) as published`
          assert.deepStrictEqual(stored, { known: killmails, bodies: killmails, published: killmails })
          assert.deepStrictEqual(sandbox.violations(), [])
          // Requests take their time to arrive.
          assert.isAtMost(
            busiestSecond(sandbox.requests().filter(({ upstream }) => upstream === "r2z2")),
            1.1 * r2z2Rate
          )
        }).pipe(Effect.provide(services))
      }),
    90_000 + patience
  )
})

const environmentOf = (replica: Replica, databaseUrl: string, sandbox: Sandbox.Sandbox, directory: string) => {
  const url = new URL(databaseUrl)
  if (url.searchParams.has("user")) url.searchParams.set("user", replica)
  else url.username = replica
  return {
    ...process.env,
    ...settingsFor(sandbox, url.href, join(directory, replica), {
      KILLMAILD_R2Z2_RATE: String(r2z2Rate),
      KILLMAILD_R2Z2_POLL: `${6000 / speed + 5}ms`
    })
  }
}
