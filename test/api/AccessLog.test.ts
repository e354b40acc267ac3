import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { observer } from "../../src/api/AccessLog.ts"
import { Settings } from "../../src/Settings.ts"

type Line = readonly [string, Readonly<Record<string, unknown>>]

/** What is logged when a client asks for this once, and reads the answer to its end or not. */
const linesOf = (env: Readonly<Record<string, string>>, ask: (url: string) => Promise<unknown>) =>
  Effect.gen(function*() {
    const lines: Array<Line> = []
    const logger = Logger.make(({ message }) => void lines.push(message as unknown as Line))
    yield* Effect.gen(function*() {
      const observe = yield* observer
      yield* Effect.promise(async () => {
        const closed = Promise.withResolvers<void>()
        const server = createServer((request, response) => {
          observe(request, response)
          response.once("close", closed.resolve)
          response.writeHead(404)
          if (request.url === "/endless") response.write("…")
          else response.end()
        }).listen(0, "127.0.0.1")
        await once(server, "listening")
        await ask(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
        await closed.promise
        server.close()
        server.closeAllConnections()
      })
      // The line is written by a fiber of its own.
      yield* Effect.yieldNow
    }).pipe(Effect.provide(Layer.merge(Logger.layer([logger]), Settings.layerFrom(env))))
    return lines
  })

describe("the access log", () => {
  it.live("has a line for each request, without its query", () =>
    Effect.gen(function*() {
      const [[text, fields]] = (yield* linesOf(
        { KILLMAILD_ACCESS_LOG: "on" },
        (url) => fetch(`${url}/a/path?secret=1`, { headers: { "user-agent": "test" } })
      )) as [Line]
      assert.strictEqual(text, "GET /a/path")
      const { milliseconds, ...rest } = fields
      assert.isAtLeast(Number(milliseconds), 0)
      assert.deepStrictEqual(rest, {
        method: "GET",
        path: "/a/path",
        status: "404",
        client: "127.0.0.1",
        user_agent: "test"
      })
    }))

  it.live("tells where the client left before the end", () =>
    Effect.gen(function*() {
      const lines = yield* linesOf({ KILLMAILD_ACCESS_LOG: "on" }, async (url) => {
        const leave = new AbortController()
        await fetch(`${url}/endless`, { signal: leave.signal })
        leave.abort()
      })
      assert.strictEqual(lines[0]?.[1]["status"], "aborted")
    }))

  it.live("is silent unless it is wanted", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* linesOf({}, (url) => fetch(url)), [])
    }))
})
