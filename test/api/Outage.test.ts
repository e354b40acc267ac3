import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { Readiness } from "../../src/api/Health.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { start, temporaryDirectory } from "../commands/CommandLine.ts"
import { faultProxy } from "../support/FaultProxy.ts"
import { connectSocket } from "../support/SocketClient.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const { killmail } = killmailOf("outage", 1)

const ask = (url: string) =>
  Effect.promise(async () => {
    const started = performance.now()
    const response = await fetch(url)
    const text = await response.text()
    return { status: response.status, text, millis: performance.now() - started }
  })

/** Asks until the answer has this status; the test's own time limit ends it. */
const askUntil = (url: string, status: number) =>
  Effect.gen(function*() {
    for (;;) {
      const answer = yield* ask(url)
      if (answer.status === status) return answer
      yield* Effect.sleep("50 millis")
    }
  })

describe("while the database is away", () => {
  for (const kind of ["cut", "silence"] as const) {
    it.live(
      `requests are answered with 503 in time, and again when it is back (${kind})`,
      () =>
        Effect.gen(function*() {
          const sandbox = yield* manualSandbox()
          const { url: databaseUrl } = yield* migratedDatabase
          const proxy = yield* faultProxy(databaseUrl)
          const { url } = yield* stoppableDaemon(proxy.url, sandbox, { KILLMAILD_FEEDS: "" })
          // The daemon could not stop on a silent connection.
          yield* Effect.addFinalizer(() => Effect.sync(proxy.restore))
          yield* askUntil(`${url}/health/ready`, 200)

          proxy.apply({ kind })
          const [ready, mail, metrics] = yield* Effect.all([
            askUntil(`${url}/health/ready`, 503),
            ask(`${url}/api/v1/killmails/1`),
            ask(`${url}/metrics`)
          ], { concurrency: "unbounded" })
          assert.deepStrictEqual(JSON.parse(ready.text), {
            status: "not ready",
            reasons: ["the database does not answer"]
          })
          assert.isBelow(ready.millis, 3000)
          assert.strictEqual(mail.status, 503, mail.text)
          assert.deepInclude(JSON.parse(mail.text), { status: 503, title: "Service Unavailable" })
          assert.notMatch(mail.text, /node_modules|\\.ts|ECONN|SqlError/)
          assert.isBelow(mail.millis, 7000)
          assert.strictEqual(metrics.status, 200)
          assert.isBelow(metrics.millis, 3500)
          assert.strictEqual((yield* ask(`${url}/health/live`)).status, 200)

          proxy.restore()
          yield* askUntil(`${url}/health/ready`, 200)
          yield* askUntil(`${url}/api/v1/killmails/1`, 404)
        }),
      40_000
    )
  }
})

describe("connections to the database that are neither open nor closed", () => {
  it.live("are given up: what is published is announced", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url: databaseUrl } = yield* migratedDatabase
      const proxy = yield* faultProxy(databaseUrl)
      const { url } = yield* stoppableDaemon(proxy.url, sandbox)
      const { store } = yield* stoppableDaemon(databaseUrl, sandbox, { KILLMAILD_FEEDS: "" })
      // Nor could this daemon stop soon.
      yield* Effect.addFinalizer(() => Effect.sync(() => proxy.apply({ kind: "cut" })))
      const { frame, send } = yield* connectSocket(url)
      send({ action: "subscribe", id: "all" })
      yield* frame(({ type }) => type === "caught_up")
      proxy.apply({ kind: "half-open" })
      yield* store([killmail])
      yield* frame(({ type }) => type === "killmail")
    }), 90_000)

  it.live("do not keep a daemon from stopping", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url } = yield* migratedDatabase
      const proxy = yield* faultProxy(url)
      const daemon = yield* start(["serve"], {
        ...sandbox.environment,
        DATABASE_URL: proxy.url,
        KILLMAILD_DATA_DIR: yield* temporaryDirectory,
        KILLMAILD_CONTACT: "tests@localhost",
        KILLMAILD_PORT: "0",
        KILLMAILD_LOG_LEVEL: "info"
      })
      const [, interface_] = yield* daemon.says(/(http:\/\/127\.0\.0\.1:\d+)/)
      yield* askUntil(`${interface_}/health/ready`, 200)
      proxy.apply({ kind: "half-open" })
      const began = performance.now()
      daemon.signal("SIGTERM")
      yield* daemon.ended
      assert.isBelow(performance.now() - began, 30_000)
    }), 90_000)
})

describe("a daemon", () => {
  it.live("is not ready before all its rooms have started, nor while it stops", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url } = yield* migratedDatabase
      const { context } = yield* stoppableDaemon(url, sandbox, { KILLMAILD_FEEDS: "" })
      const readiness = Context.get(
        yield* Layer.build(Readiness.layerFor(["feeds", "jobs"])).pipe(Effect.provide(context)),
        Readiness
      )
      assert.deepStrictEqual(yield* readiness.reasons, ["feeds has not started", "jobs has not started"])
      yield* readiness.started("feeds")
      assert.deepStrictEqual(yield* readiness.reasons, ["jobs has not started"])
      yield* readiness.started("jobs")
      assert.deepStrictEqual(yield* readiness.reasons, [])
      yield* readiness.drain
      assert.deepStrictEqual(yield* readiness.reasons, ["the daemon is stopping"])
    }))

  it.live("that stops ends the requests under way, and takes no more", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url: databaseUrl } = yield* migratedDatabase
      const { stop, store, url } = yield* stoppableDaemon(databaseUrl, sandbox, { KILLMAILD_FEEDS: "" })
      const second = yield* stoppableDaemon(databaseUrl, sandbox, { KILLMAILD_FEEDS: "" })
      yield* store([killmail])
      const sql = Context.get(second.context, SqlClient.SqlClient)
      const path = `${url}/api/v1/killmails/${killmail.killmail_id}`
      const [asking, stopping] = yield* sql.withTransaction(Effect.gen(function*() {
        yield* sql`lock table killmails in access exclusive mode`
        const asking = yield* Effect.forkScoped(ask(path))
        const waiting = sql`select from pg_locks where not granted and relation = 'killmails'::regclass`
        while ((yield* waiting).length === 0) yield* Effect.sleep("10 millis")
        const stopping = yield* Effect.forkScoped(stop)
        const refused = Effect.isFailure(Effect.tryPromise(() => fetch(`${url}/health/live`)))
        while (!(yield* refused)) yield* Effect.sleep("10 millis")
        return [asking, stopping] as const
      }))
      assert.strictEqual((yield* Fiber.join(asking)).status, 200)
      yield* Fiber.join(stopping)
    }))
})
