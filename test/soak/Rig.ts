/**
 * A whole killmaild of real processes among its neighbours: a sandbox and Postgres, both behind proxies that break when
 * told, and two bots that listen.
 */
import { Context, Effect, Layer, Redacted, Schedule, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Sandbox from "../../src/sandbox/Sandbox.ts"
import * as Database from "../../src/store/Database.ts"
import { faultProxy } from "../support/FaultProxy.ts"
import { freePort } from "../support/FreePort.ts"
import { expect } from "./Audit.ts"
import { startProcesses } from "./Processes.ts"
import { feed, feedsOf, type File, secondFeed } from "./Publications.ts"
import { subscribe } from "./Subscriber.ts"

/** Nothing came for so long: the run is given up. */
export class Hung extends Schema.TaggedError<Hung>()("Hung", { waitedFor: Schema.String }) {
  override get message(): string {
    return `waited ${patience} for ${this.waitedFor}`
  }
}

const patience = "60 seconds"
/** Read by the daemon alone. */
export const secret = "canary-of-the-operator"

export interface Place {
  /** Of an empty database. */
  readonly databaseUrl: string
  readonly seed: string
  readonly speed: number
  /** Share of upstream answers that are faulty. */
  readonly faults: number
  readonly environment?: Readonly<Record<string, string>>
  /** Whether the daemon that died just now was meant to, though nobody here killed it. */
  readonly wasMeantToDie?: () => boolean
}

export const start = Effect.fnUntraced(
  function*({ databaseUrl, environment, faults, seed, speed, wasMeantToDie }: Place) {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-rig-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const sandbox = yield* Sandbox.start({ port: 0, speed, seed, faults, world: "manual" })
    const toPostgres = yield* faultProxy(databaseUrl)
    const toUpstreams = yield* faultProxy(sandbox.url)
    const upstreams = new URL(toUpstreams.url).origin
    const port = yield* freePort
    const processes = yield* Effect.acquireRelease(
      Effect.sync(() =>
        startProcesses({
          ...process.env,
          DATABASE_URL: toPostgres.url,
          KILLMAILD_DATA_DIR: directory,
          KILLMAILD_PORT: String(port),
          KILLMAILD_CONTACT: "soak@localhost",
          KILLMAILD_ADMIN_TOKEN: secret,
          KILLMAILD_FEEDS: `${feed},${secondFeed}`,
          KILLMAILD_R2Z2_RATE: String(10 * speed),
          KILLMAILD_R2Z2_POLL: `${6000 / speed + 5}ms`,
          KILLMAILD_SCHEDULE_SPEED: String(2 * speed),
          KILLMAILD_LOG_LEVEL: "debug",
          // Nothing of the real world is asked, of what the sandbox does not play either.
          KILLMAILD_SDE_URL: `${upstreams}/sde`,
          KILLMAILD_EVEREF_URL: `${upstreams}/everef`,
          ...Object.fromEntries(
            Object.entries(sandbox.environment).map(([name, url]) => [name, url.replace(sandbox.url, upstreams)])
          ),
          ...environment
        }, wasMeantToDie)
      ),
      (processes) => Effect.promise(processes.stop)
    )
    const bots = yield* Effect.acquireRelease(
      Effect.sync(() => ["subscriber 1", "subscriber 2"].map((name) => subscribe(name, `ws://127.0.0.1:${port}/ws`))),
      (bots) => Effect.sync(() => bots.forEach((bot) => bot.close()))
    )
    const context = yield* Layer.build(Database.layer(Redacted.make(databaseUrl), "soak"))
    return {
      sql: Context.get(context, SqlClient.SqlClient),
      url: `http://127.0.0.1:${port}`,
      sandbox,
      toPostgres,
      toUpstreams,
      processes,
      bots
    }
  }
)

export type Rig = Effect.Success<ReturnType<typeof start>>

/** Asks until the answer is there; a database that is not there has not answered. */
export const until = <A, E>(what: string, question: Effect.Effect<A | undefined, E>): Effect.Effect<A, Hung> =>
  question.pipe(
    Effect.timeout("2 seconds"),
    Effect.catchCause(() => Effect.succeed(undefined)),
    Effect.repeat({ until: (answer) => answer !== undefined, schedule: Schedule.spaced("20 millis") }),
    Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(new Hung({ waitedFor: what })) })
  ) as Effect.Effect<A, Hung>

/** Waits until a count has come so far; gives up when it does not rise for a while. */
export const untilCount = <E>(what: string, goal: number, count: Effect.Effect<number, E>): Effect.Effect<void, Hung> =>
  Effect.gen(function*() {
    let reached = -1
    while (reached < goal) {
      reached = yield* until(
        `${what} ${goal}, after ${reached}`,
        Effect.map(count, (now) => now > reached ? now : undefined)
      )
    }
  })

/** Waits until so many killmails are stored and announced. */
export const storedAtLeast = ({ sql }: Rig, count: number) =>
  untilCount(
    "stored killmail",
    count,
    Effect.map(
      sql<{ n: number }>`select count(sequence)::int as n from killmail_ledger`,
      ([row]) => row!.n
    )
  )

/** Publishes these, each expected before it can be heard of. */
export const publish = Effect.fnUntraced(function*({ sandbox, sql }: Rig, files: ReadonlyArray<File>) {
  yield* until(
    "the database to take what is expected",
    Effect.as(Effect.provideService(expect(files), SqlClient.SqlClient, sql), true)
  )
  for (const file of files) {
    const { forEsi, mail, text } = file
    if (mail !== undefined && feedsOf(file).includes(secondFeed)) sandbox.publishEveKill(mail)
    if (forEsi !== undefined) sandbox.knowToEsi(forEsi.killmail, forEsi.hash)
    sandbox.publishR2z2(text === undefined ? "hole" : { raw: text })
  }
})

/** The state of things, for a run that hangs. */
export const describe = Effect.fnUntraced(function*({ processes, sql }: Rig) {
  const [state] = yield* sql`
    select (select count(*)::int from killmail_ledger) as stored,
      (select json_agg(cursors) from feed_cursors cursors) as cursors,
      (select json_agg(leases) from leases) as leases,
      (select json_agg(stats) from job_stats stats) as jobs,
      (select json_agg(json_build_object('name', application_name, 'state', state, 'wait', wait_event, 'query',
          left(query, 80))) from pg_stat_activity where application_name like 'killmaild%' and state <> 'idle')
        as statements`.pipe(
    Effect.timeout("5 seconds"),
    Effect.catchCause(() => Effect.succeed(["the database does not answer"]))
  )
  return `${JSON.stringify(state)}; its last words:\n${processes.log()}`
})

/** Answers that were under way when a connection or its owner died, and for a moment after, are nobody's. */
export const excuse = (sandbox: Sandbox.Sandbox) =>
  Effect.forever(Effect.andThen(Effect.sync(sandbox.clientLost), Effect.sleep("10 millis")))
