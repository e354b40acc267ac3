import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { once } from "node:events"
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { drainOf } from "../../src/api/Drain.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

/** A server whose answers are the test's, and a client that keeps its connections for ever. */
const makeWorld = Effect.gen(function*() {
  const server = createServer()
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Agent({ keepAlive: true })),
    (agent) => Effect.sync(() => agent.destroy())
  )
  const drain = drainOf(server)
  yield* Effect.acquireRelease(
    Effect.promise(() => once(server.listen(0, "127.0.0.1"), "listening")),
    () => Effect.sync(() => server.closeAllConnections())
  )
  server.keepAliveTimeout = 3_600_000
  const { port } = server.address() as AddressInfo
  /** The answer, and how the client hears it to its end. */
  const ask = async () => {
    const heard = once(get({ port, agent }), "response")
    const [, response] = await once(server, "request") as [IncomingMessage, ServerResponse]
    const text = heard.then(async ([answer]) => {
      let text = ""
      for await (const part of answer as IncomingMessage) text += String(part)
      return { text, connection: (answer as IncomingMessage).headers.connection }
    })
    return { response, text }
  }
  return { ask: Effect.promise(ask), drain }
})

describe("a server that ends", () => {
  it.live("ends idle connections at once, and the others with their answer", () =>
    Effect.gen(function*() {
      const { ask, drain } = yield* makeWorld
      const idle = yield* ask
      const early = yield* ask
      const late = yield* ask
      idle.response.end("idle")
      yield* Effect.promise(() => idle.text)
      early.response.write("head and ")
      const ended = yield* Effect.forkScoped(drain, { startImmediately: true })
      late.response.end("late")
      early.response.end("tail")
      assert.deepStrictEqual(yield* Effect.promise(() => late.text), { text: "late", connection: "close" })
      assert.strictEqual((yield* Effect.promise(() => early.text)).text, "head and tail")
      // A connection that was kept would hold it up for an hour.
      yield* Fiber.join(ended)
    }))
})

describe("a daemon that stops", () => {
  it.live("ends streams of events, which would never end by themselves, as a server ends an answer", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url: databaseUrl } = yield* migratedDatabase
      const { stop, url } = yield* stoppableDaemon(databaseUrl, sandbox, { KILLMAILD_FEEDS: "" })
      const response = yield* Effect.promise(() => fetch(`${url}/api/v1/stream`))
      const reader = response.body!.getReader()
      const { value } = yield* Effect.promise(() => reader.read())
      assert.match(Buffer.from(value!).toString(), /^retry: 2000\nevent: welcome\n/)
      yield* stop
      // A stream that was cut off would fail here.
      assert.isTrue((yield* Effect.promise(() => reader.read())).done)
    }))
})
