/**
 * `benchmark queries`: how long a daemon takes to answer what people ask most, over HTTP on a socket of its own, with a
 * history of many months; and how that changes when there is four times as much of it.
 */
import { Effect, Layer, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { Agent, get } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as EmbeddedPostgres from "../postgres/EmbeddedPostgres.ts"
import * as Database from "../store/Database.ts"
import { stores } from "../Stores.ts"
import * as DaemonProcess from "./DaemonProcess.ts"
import { freePort } from "./FreePort.ts"
import { generate, isGenerated, type Size } from "./GeneratedHistory.ts"
import { BenchmarkFailed, type Machine, machineWith } from "./Ground.ts"
import type { Tell } from "./Ingest.ts"
import { type Quantiles, quantilesOf } from "./Quantiles.ts"
import { type Question, questionsOf } from "./Questions.ts"

export interface Plan {
  /** Killmails of the smaller history; the larger has four times as many. */
  readonly killmails: number
  /** That they are spread over; EVE has some 280. */
  readonly months: number
  /** Requests of one kind, to each of the two. */
  readonly requests: number
}

export interface Options {
  /** A server on which databases may be made, and stay; without it, one is run. */
  readonly serverUrl: Option.Option<Redacted.Redacted>
  /** Where that one keeps its data; without it, they are gone at the end. */
  readonly keep: Option.Option<string>
}

export interface Answered {
  readonly question: string
  /** Milliseconds from the request to the last byte of the answer, by the smaller and by the larger history. */
  readonly small: Quantiles
  readonly large: Quantiles
  /** Of the p99 of both. */
  readonly ratio: number
}

export interface QueriesReport {
  readonly benchmark: "queries"
  readonly machine: Machine
  readonly plan: Plan
  /** What making them took; nothing where they were there already. */
  readonly generatedSeconds: ReadonlyArray<number | null>
  /** Of the larger history. */
  readonly bytesPerKillmail: number
  readonly answers: ReadonlyArray<Answered>
}

/** The larger history, as a multiple of the smaller. */
const growth = 4
/** Requests before it counts, of each kind: plans and caches. */
const warmUp = 25

/** Postgres with little care for what it holds: a crash costs a benchmark. */
const careless = { fsync: "off", full_page_writes: "off", wal_level: "minimal", max_wal_senders: "0" }

export const queries = Effect.fnUntraced(function*(plan: Plan, options: Options, tell: Tell) {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-benchmark-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const serverUrl = yield* Option.match(options.serverUrl, {
    onSome: Effect.succeed,
    onNone: () =>
      Effect.map(
        EmbeddedPostgres.start({
          directory: join(Option.getOrElse(options.keep, () => directory), "postgres"),
          settings: careless
        }),
        ({ url }) => Redacted.make(url)
      )
  })
  const small = yield* start(serverUrl, directory, plan, tell)
  const large = yield* start(serverUrl, directory, { ...plan, killmails: growth * plan.killmails }, tell)
  const answers: Array<Answered> = []
  for (const [index, question] of small.questions.entries()) {
    if (question.paths.length === 0) continue
    yield* tell(question.name)
    answers.push(yield* compare([small, question], [large, large.questions[index]!], plan.requests))
  }
  return {
    benchmark: "queries",
    machine: machineWith(small.server),
    plan,
    generatedSeconds: [small.generatedSeconds, large.generatedSeconds],
    bytesPerKillmail: large.bytesPerKillmail,
    answers
  } satisfies QueriesReport as QueriesReport
}, Effect.scoped)

interface Subject {
  readonly server: string
  readonly generatedSeconds: number | null
  readonly bytesPerKillmail: number
  readonly questions: ReadonlyArray<Question>
  /** Asks the daemon; how long it took, in milliseconds. */
  readonly ask: (question: Question, turn: number) => Effect.Effect<number, BenchmarkFailed>
}

/** A daemon on a history of so many killmails, made first where there is none. */
const start = Effect.fnUntraced(
  function*(serverUrl: Redacted.Redacted, directory: string, { killmails, months }: Size, tell: Tell) {
    const databaseUrl = yield* databaseOn(serverUrl, `killmaild_queries_${killmails}_${months}`)
    const services = yield* Layer.build(
      Layer.provideMerge(stores, Database.layer(databaseUrl, "killmaild benchmark"))
    )
    const { generatedSeconds, ...facts } = yield* Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* Database.migrate(databaseUrl)
      const began = performance.now()
      const isThere = yield* isGenerated
      if (!isThere) {
        yield* tell(`${killmails} killmails are generated`)
        yield* generate({ killmails, months }, tell)
      }
      const [row] = yield* sql<{ server: string; bytes: number }>`
        select 'PostgreSQL ' || current_setting('server_version') as server,
          (select sum(pg_total_relation_size(relid)) + pg_total_relation_size('killmail_ledger')
            from unnest(array['killmails', 'attackers', 'items']) parent, pg_partition_tree(parent::regclass))::float8 as bytes`
      return {
        server: row!.server,
        bytesPerKillmail: Math.round(row!.bytes / killmails),
        generatedSeconds: isThere ? null : Math.round((performance.now() - began) / 1000),
        questions: yield* questionsOf
      }
    }).pipe(Effect.provide(services))
    const port = yield* freePort
    const own = join(directory, String(killmails))
    mkdirSync(own)
    const daemon = yield* DaemonProcess.start({ databaseUrl, directory: own }, "api", {
      KILLMAILD_PORT: String(port),
      KILLMAILD_FEEDS: ""
    })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
    const answer = (path: string) => answerOf(agent, port, path)
    yield* daemon.during(DaemonProcess.until(
      "it does not answer",
      answer("/health/ready").pipe(Effect.map(({ status }) => status === 200), Effect.orElseSucceed(() => false))
    ))
    const ask: Subject["ask"] = (question, turn) =>
      Effect.gen(function*() {
        const path = question.paths[turn % question.paths.length]!
        const began = performance.now()
        const { body, status } = yield* answer(path)
        const millis = performance.now() - began
        if (status !== 200 || !question.fits(JSON.parse(body))) {
          return yield* new BenchmarkFailed({ message: `${path}: got ${status} ${body.slice(0, 200)}.` })
        }
        return millis
      })
    return { ...facts, generatedSeconds, ask } satisfies Subject as Subject
  }
)

const databaseOn = Effect.fnUntraced(function*(serverUrl: Redacted.Redacted, name: string) {
  const url = new URL(Redacted.value(serverUrl))
  url.pathname = `/${name}`
  yield* Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [found] = yield* sql`select from pg_database where datname = ${name}`
    if (found === undefined) yield* sql`create database ${sql(name)} template template0`
  }).pipe(Effect.provide(Database.layer(serverUrl, "killmaild benchmark")))
  return Redacted.make(url.href)
})

/** In turns, so that what else the machine does meets both. */
const compare = Effect.fnUntraced(function*(
  [small, smallQuestion]: readonly [Subject, Question],
  [large, largeQuestion]: readonly [Subject, Question],
  requests: number
) {
  const millis = { small: [] as Array<number>, large: [] as Array<number> }
  for (let turn = -warmUp; turn < requests; turn++) {
    const index = turn + warmUp
    const [bySmall, byLarge] = [yield* small.ask(smallQuestion, index), yield* large.ask(largeQuestion, index)]
    if (turn < 0) continue
    millis.small.push(bySmall)
    millis.large.push(byLarge)
  }
  const [ofSmall, ofLarge] = [quantilesOf(millis.small), quantilesOf(millis.large)]
  return { question: smallQuestion.name, small: ofSmall, large: ofLarge, ratio: ofLarge.p99 / ofSmall.p99 }
})

const answerOf = (agent: Agent, port: number, path: string) =>
  Effect.callback<{ readonly status: number; readonly body: string }, BenchmarkFailed>((resume) => {
    const fail = (error: Error) =>
      resume(Effect.fail(new BenchmarkFailed({ message: `The daemon does not answer ${path}: ${error.message}.` })))
    get({ agent, port, path, host: "127.0.0.1" }, (response) => {
      const parts: Array<Buffer> = []
      response.on("data", (part: Buffer) => parts.push(part))
      response.on(
        "end",
        () => resume(Effect.succeed({ status: response.statusCode!, body: Buffer.concat(parts).toString() }))
      )
      response.on("error", fail)
    }).on("error", fail)
  })
