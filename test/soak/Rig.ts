/**
 * A whole killmaild of real processes under fire: daemon and jobs' process are killed, Postgres crashes, the network breaks,
 * upstreams err; and at the end an audit asks whether anything was lost, doubled or told out of order. However a run goes,
 * it ends: with findings where it hangs.
 */
import { Context, Effect, Fiber, Layer, Redacted, Schedule, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as EmbeddedPostgres from "../../src/postgres/EmbeddedPostgres.ts"
import { firstSequence } from "../../src/sandbox/Calendar.ts"
import * as Sandbox from "../../src/sandbox/Sandbox.ts"
import * as Database from "../../src/store/Database.ts"
import { type FaultProxy, faultProxy } from "../support/FaultProxy.ts"
import { freePort } from "../support/FreePort.ts"
import { audit, expect, leaks, prepare } from "./Audit.ts"
import { startProcesses } from "./Processes.ts"
import { type File, filesOf } from "./Publications.ts"
import { type Event, nameOf } from "./Schedule.ts"
import { subscribe } from "./Subscriber.ts"
import { watch } from "./Watch.ts"

export interface Plan {
  readonly seed: string
  readonly killmails: number
  /** In this order, evenly over the run. */
  readonly events: ReadonlyArray<Event>
  /** Share of upstream answers that are faulty. */
  readonly faults: number
  /** Of the sandbox. */
  readonly speed: number
}

export interface Outcome {
  readonly seconds: number
  readonly killmailsPerSecond: number
  /** Milliseconds from each event, or from its end where it lasts, to the next killmail stored. */
  readonly recoveries: ReadonlyArray<{ readonly event: string; readonly millis: number }>
  readonly repeated: {
    /** Jobs that a dead process had in its hands, at work or fetched ahead: each is fetched again. */
    readonly givenBack: number
    /** Of those, jobs that found their killmail stored already. */
    readonly known: number
    /** Bodies that ESI gave more than once. */
    readonly bodies: number
    /** Jobs given back and bodies fetched again, as a share of all killmails: what deaths cost at the most. */
    readonly share: number
  }
  /** MB of resident memory per 1,000 killmails, over the second half; undefined where the lives were too short. */
  readonly memory: { readonly daemon: number | undefined; readonly jobs: number | undefined }
  readonly violations: number
  /** What must not be; empty when all is well. Each begins with its invariant. */
  readonly findings: ReadonlyArray<string>
}

/** Nothing came for so long: the run is given up. */
class Hung extends Schema.TaggedError<Hung>()("Hung", { waitedFor: Schema.String }) {}

const patience = "60 seconds"
/** Files published at a time, with what is expected of them. */
const chunk = 50
/** Read by the daemon alone. */
const secret = "canary-of-the-operator"
const feed = "r2z2"

/** A daemon among its neighbours, all by way of proxies. */
const start = Effect.fnUntraced(function*(plan: Plan) {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-soak-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  // Only processes die here, never the machine: what was written is there without waiting for a disk.
  const postgres = yield* EmbeddedPostgres.start({ directory: join(directory, "postgres"), settings: { fsync: "off" } })
  const sandbox = yield* Sandbox.start({
    port: 0,
    speed: plan.speed,
    seed: plan.seed,
    faults: plan.faults,
    world: "manual"
  })
  const toPostgres = yield* faultProxy(postgres.url)
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
        KILLMAILD_FEEDS: feed,
        KILLMAILD_R2Z2_RATE: String(10 * plan.speed),
        KILLMAILD_R2Z2_POLL: `${6000 / plan.speed + 5}ms`,
        KILLMAILD_SCHEDULE_SPEED: String(20 * plan.speed),
        KILLMAILD_LOG_LEVEL: "debug",
        // Nothing of the real world is asked, of what the sandbox does not play either.
        KILLMAILD_SDE_URL: `${upstreams}/sde`,
        KILLMAILD_EVEREF_URL: `${upstreams}/everef`,
        ...Object.fromEntries(
          Object.entries(sandbox.environment).map(([name, url]) => [name, url.replace(sandbox.url, upstreams)])
        )
      })
    ),
    (processes) => Effect.promise(processes.stop)
  )
  const context = yield* Layer.build(Database.layer(Redacted.make(postgres.url), "soak"))
  return {
    sql: Context.get(context, SqlClient.SqlClient),
    postmaster: join(directory, "postgres", "postmaster.pid"),
    sandbox,
    toPostgres,
    toUpstreams,
    processes,
    webSocket: `ws://127.0.0.1:${port}/ws`
  }
})

type Rig = Effect.Success<ReturnType<typeof start>>

/** Asks until the answer is there; a database that is not there has not answered. */
const until = <A, E>(what: string, question: Effect.Effect<A | undefined, E>): Effect.Effect<A, Hung> =>
  question.pipe(
    Effect.timeout("2 seconds"),
    Effect.catchCause(() => Effect.succeed(undefined)),
    Effect.repeat({ until: (answer) => answer !== undefined, schedule: Schedule.spaced("20 millis") }),
    Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(new Hung({ waitedFor: what })) })
  ) as Effect.Effect<A, Hung>

/** Waits until so many killmails are stored; gives up when there are no more of them for a while. */
const storedAtLeast = Effect.fnUntraced(function*({ sql }: Rig, count: number) {
  let stored = -1
  while (stored < count) {
    stored = yield* until(
      `killmail ${count} to be stored, after ${stored}`,
      Effect.map(
        sql<{ n: number }>`select count(*)::int as n from killmail_ledger`,
        ([row]) => row!.n > stored ? row!.n : undefined
      )
    )
  }
})

const takeSome = (files: Iterator<File>): ReadonlyArray<File> => {
  const some: Array<File> = []
  for (let next = files.next(); next.done !== true; next = files.next()) {
    some.push(next.value)
    if (some.length === chunk) break
  }
  return some
}

/** Publishes all files, each expected before it can be heard of; returns the number after the last. */
const publish = Effect.fnUntraced(function*({ sandbox, sql }: Rig, { killmails, seed, speed }: Plan) {
  const files = filesOf(seed, killmails)
  let next = firstSequence
  for (;;) {
    const some = takeSome(files)
    if (some.length === 0) return next
    yield* until(
      "the database to take what is expected",
      Effect.as(Effect.provideService(expect(some), SqlClient.SqlClient, sql), true)
    )
    for (const { forEsi, text } of some) {
      if (forEsi !== undefined) sandbox.knowToEsi(forEsi.killmail, forEsi.hash)
      sandbox.publishR2z2(text === undefined ? "hole" : { raw: text })
      next++
    }
    yield* Effect.sleep(1000 * some.length / (4 * speed))
  }
})

/** Lets it happen; returns when it was over, in milliseconds since 1970. */
const cause = Effect.fnUntraced(function*(rig: Rig, event: Event) {
  switch (event.kind) {
    case "kill":
      rig.processes.kill(event.victim)
      return Date.now()
    case "restart": {
      process.kill(Number(readFileSync(rig.postmaster, "utf8").split("\n")[0]), "SIGQUIT")
      yield* Effect.sleep("5 millis")
      yield* until("Postgres to be back", Effect.as(rig.sql`select 1`, true))
      return Date.now()
    }
    case "network": {
      const proxy: FaultProxy = event.to === "postgres" ? rig.toPostgres : rig.toUpstreams
      proxy.apply(event.fault)
      yield* Effect.sleep(event.millis)
      proxy.restore()
      return Date.now()
    }
  }
})

/** Milliseconds from then to the next killmail stored, silences shorter than that left out. */
const recoveryFrom = Effect.fnUntraced(function*({ sql }: Rig, from: number, to: number) {
  const rows = yield* sql<{ at: number }>`
    select extract(epoch from stored_at)::float8 * 1000 as at
    from killmail_ledger
    where stored_at between to_timestamp(${(from - 1000) / 1000}::float8) and to_timestamp(${to / 1000}::float8)
    order by 1`
  const times = [from, ...rows.map(({ at }) => at).filter((at) => at > from)]
  const silences = times.slice(1).map((at, index) => ({ length: at - times[index]!, began: times[index]!, at }))
  const longest = silences.filter(({ began }) => began < from + 1000).toSorted((a, b) => b.length - a.length)[0]
  return longest === undefined ? 0 : Math.round(longest.at - from)
})

/** Answers that were under way when a connection or its owner died, and for a moment after, are nobody's. */
const excuse = (sandbox: Sandbox.Sandbox) =>
  Effect.forever(Effect.andThen(Effect.sync(sandbox.clientLost), Effect.sleep("10 millis")))

/** The state of things, for a run that hangs. */
const describe = Effect.fnUntraced(function*({ processes, sql }: Rig) {
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

export const run = (plan: Plan): Effect.Effect<Outcome, unknown> =>
  Effect.gen(function*() {
    const rig = yield* start(plan)
    const { processes, sandbox, sql } = rig
    const onDatabase = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.provideService(effect, SqlClient.SqlClient, sql)
    const bots = yield* Effect.acquireRelease(
      Effect.sync(() => ["subscriber 1", "subscriber 2"].map((name) => subscribe(name, rig.webSocket))),
      (bots) => Effect.sync(() => bots.forEach((bot) => bot.close()))
    )
    const eyes = watch(feed, processes, sandbox)
    const past: Array<{ readonly event: string; readonly began: number; readonly ended: number }> = []
    const findings: Array<string> = []
    let began = performance.now()

    const story = Effect.gen(function*() {
      // A fresh daemon begins after the head that it finds: it has to find one first.
      yield* until(
        "the daemon to find the head of the feed",
        Effect.map(sql`select from feed_cursors where cursor is not null`, ([row]) => row)
      )
      yield* onDatabase(prepare)
      yield* onDatabase(Effect.forkScoped(eyes.look))
      began = performance.now()
      const publishing = yield* Effect.forkScoped(publish(rig, plan))
      for (const [index, event] of plan.events.entries()) {
        yield* storedAtLeast(rig, Math.floor((index + 1) * plan.killmails / (plan.events.length + 1)))
        const excused = yield* Effect.forkScoped(excuse(sandbox))
        const at = Date.now()
        const ended = yield* cause(rig, event)
        past.push({ event: nameOf(event), began: at, ended })
        yield* Effect.forkScoped(Effect.delay(Fiber.interrupt(excused), "500 millis"))
      }
      const next = yield* Fiber.join(publishing)
      yield* storedAtLeast(rig, plan.killmails)
      const seconds = (performance.now() - began) / 1000
      yield* until(
        "all subscribers to hear the last publication",
        Effect.sync(() => bots.every(({ heard }) => heard().at(-1) === plan.killmails) ? true : undefined)
      ).pipe(Effect.ignore)
      findings.push(...(yield* onDatabase(audit({ name: feed, next }))))
      return seconds
    })

    const seconds = yield* story.pipe(Effect.catchTag("Hung", ({ waitedFor }) =>
      Effect.gen(function*() {
        findings.push(`hung: waited ${patience} for ${waitedFor}; ${yield* describe(rig)}`)
        return (performance.now() - began) / 1000
      })))
    const violations = sandbox.violations()
    const told = yield* Effect.catchCause(onDatabase(leaks(secret)), () => Effect.succeed([]))
    const recoveries: Array<Outcome["recoveries"][number]> = []
    for (const [index, { ended, event }] of past.entries()) {
      const millis = yield* recoveryFrom(rig, ended, past[index + 1]?.began ?? Date.now()).pipe(
        Effect.catch(() => Effect.succeed(Number.NaN))
      )
      recoveries.push({ event, millis })
    }
    const [row] = yield* sql<{ n: number }>`select count(*)::int as n from audit.given_back`.pipe(
      Effect.catch(() => Effect.succeed([{ n: 0 }]))
    )
    const repeated = { givenBack: row!.n, known: processes.known(), bodies: eyes.bodiesAgain() }
    yield* Effect.promise(processes.stop)
    return {
      seconds,
      killmailsPerSecond: plan.killmails / seconds,
      recoveries,
      repeated: { ...repeated, share: (repeated.givenBack + repeated.bodies) / plan.killmails },
      memory: { daemon: eyes.slope("daemon"), jobs: eyes.slope("jobs") },
      violations: violations.length,
      findings: [
        ...findings,
        ...eyes.findings(),
        ...violations.slice(0, 3).map((violation) =>
          `I7 a rule of an upstream was broken: ${JSON.stringify(violation)}`
        ),
        ...told.map(({ place }) => `I8 the operator's token is in ${place}`),
        ...(processes.log().includes(secret) ? ["I8 the operator's token is in the log"] : []),
        ...bots.flatMap((bot) => bot.findings(plan.killmails)),
        ...processes.findings()
      ]
    }
  }).pipe(Effect.scoped)
