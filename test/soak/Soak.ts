/**
 * A killmaild under fire: daemon and jobs' process are killed, Postgres crashes, the network breaks, upstreams err; and at
 * the end an audit asks whether anything was lost, doubled or told out of order. However a run goes, it ends: with a finding
 * where it hangs.
 */
import { Effect, Fiber, References } from "effect"
import { SqlClient } from "effect/sql"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as EmbeddedPostgres from "../../src/postgres/EmbeddedPostgres.ts"
import { drawOf } from "../../src/sandbox/Random.ts"
import { audit, leaks, prepare } from "./Audit.ts"
import { allIsImported, importSomeDays } from "./History.ts"
import { feed, type File, filesOf } from "./Publications.ts"
import { describe, excuse, publish, type Rig, secret, start, storedAtLeast, until } from "./Rig.ts"
import { type Event, nameOf } from "./Schedule.ts"
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

/** Milliseconds that an import has before something happens. */
const longestHeadStart = 3000
/** Files published at a time. */
const chunk = 50

/** Publishes all files as fast as `4 * speed` a second; returns the number after the last. */
const publishAll = Effect.fnUntraced(function*(rig: Rig, { killmails, seed, speed }: Plan) {
  let some: Array<File> = []
  let next = 0
  for (const file of filesOf(seed, killmails)) {
    next = file.sequence + 1
    if (some.push(file) < chunk) continue
    yield* publish(rig, some)
    some = []
    yield* Effect.sleep(1000 * chunk / (4 * speed))
  }
  yield* publish(rig, some)
  return next
})

/** Lets it happen; returns when it was over, in milliseconds since 1970. */
const cause = Effect.fnUntraced(function*(rig: Rig, directory: string, event: Event) {
  switch (event.kind) {
    case "kill":
      rig.processes.kill(event.victim)
      return Date.now()
    case "restart": {
      process.kill(Number(readFileSync(`${directory}/postmaster.pid`, "utf8").split("\n")[0]), "SIGQUIT")
      yield* Effect.sleep("5 millis")
      yield* until("Postgres to be back", Effect.as(rig.sql`select 1`, true))
      return Date.now()
    }
    case "network": {
      const proxy = event.to === "postgres" ? rig.toPostgres : rig.toUpstreams
      proxy.apply(event.fault)
      yield* Effect.sleep(event.millis)
      proxy.restore()
      return Date.now()
    }
  }
})

/** After it, in milliseconds: what was on its way is nobody's until the deadlines of who waits for it are over. */
const excusedMillis = (event: Event): number => event.kind === "network" ? 16_000 : 500

/** Milliseconds from then to the next killmail stored, silences shorter than that left out. */
const recoveryFrom = Effect.fnUntraced(function*({ sql }: Rig, from: number, to: number) {
  const rows = yield* sql<{ at: number }>`
    select extract(epoch from stored_at)::float8 * 1000 as at
    from killmail_ledger
    where sequence is not null and stored_at between to_timestamp(${(from - 1000) / 1000}::float8) and to_timestamp(${
    to / 1000
  }::float8)
    order by 1`
  const times = [from, ...rows.map(({ at }) => at).filter((at) => at > from)]
  const silences = times.slice(1).map((at, index) => ({ length: at - times[index]!, began: times[index]!, at }))
  const longest = silences.filter(({ began }) => began < from + 1000).toSorted((a, b) => b.length - a.length)[0]
  return longest === undefined ? 0 : Math.round(longest.at - from)
})

export const run = (plan: Plan): Effect.Effect<Outcome, unknown> =>
  Effect.gen(function*() {
    const directory = join(
      yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-soak-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      ),
      "postgres"
    )
    // Only processes die here, never the machine: what was written is there without waiting for a disk.
    const postgres = yield* EmbeddedPostgres.start({ directory, settings: { fsync: "off" } }).pipe(
      Effect.provideService(References.MinimumLogLevel, "None")
    )
    const rig = yield* start({ ...plan, databaseUrl: postgres.url })
    const { bots, processes, sandbox, sql } = rig
    const onDatabase = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.provideService(effect, SqlClient.SqlClient, sql)
    const eyes = watch(feed, processes, sandbox)
    const past: Array<{ readonly event: string; readonly began: number; readonly ended: number }> = []
    const findings: Array<string> = []
    let began = performance.now()

    const story = Effect.gen(function*() {
      // A fresh daemon begins after the head that it finds: it has to find one first.
      yield* until(
        "the daemon to find the heads of its feeds",
        Effect.map(sql`select from feed_cursors where cursor is not null`, ([, second]) => second)
      )
      yield* onDatabase(prepare)
      yield* onDatabase(Effect.forkScoped(eyes.look))
      began = performance.now()
      const publishing = yield* Effect.forkScoped(publishAll(rig, plan))
      for (const [index, event] of plan.events.entries()) {
        yield* storedAtLeast(rig, Math.floor((index + 1) * plan.killmails / (plan.events.length + 1)))
        yield* importSomeDays(rig, plan.seed, index)
        yield* Effect.sleep(drawOf(plan.seed, "import", index) * longestHeadStart)
        const excused = yield* Effect.forkScoped(excuse(sandbox))
        const at = Date.now()
        const ended = yield* cause(rig, directory, event)
        past.push({ event: nameOf(event), began: at, ended })
        yield* Effect.forkScoped(Effect.delay(Fiber.interrupt(excused), excusedMillis(event)))
      }
      const next = yield* Fiber.join(publishing)
      yield* storedAtLeast(rig, plan.killmails)
      const seconds = (performance.now() - began) / 1000
      yield* until(
        "all subscribers to hear the last publication",
        Effect.sync(() => bots.every(({ heard }) => heard().at(-1) === plan.killmails) ? true : undefined)
      ).pipe(Effect.ignore)
      yield* allIsImported(rig)
      findings.push(...(yield* onDatabase(audit(next))))
      return seconds
    })

    const seconds = yield* story.pipe(Effect.catchTag("Hung", ({ message }) =>
      Effect.gen(function*() {
        findings.push(`hung: ${message}; ${yield* describe(rig)}`)
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
