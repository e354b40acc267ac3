import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { Settings } from "../../src/Settings.ts"
import { Resolver, WebhookClient } from "../../src/webhooks/WebhookClient.ts"

/** A server of this machine, and how often it was asked. */
const serverOf = (answer: RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly asked: () => number; readonly close: () => void }>((resume) => {
      let asked = 0
      const server = createServer((request, response) => {
        asked++
        answer(request, response)
      })
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({
          port: (server.address() as AddressInfo).port,
          asked: () => asked,
          close: () => {
            server.closeAllConnections()
            server.close()
          }
        })))
    }),
    ({ close }) => Effect.sync(close)
  )

/** Posts where names have these addresses, in turn. */
const post = Effect.fnUntraced(
  function*(url: string, answers: ReadonlyArray<ReadonlyArray<string>>, allow = "") {
    const asked: Array<string> = []
    const resolver = (name: string) => {
      asked.push(name)
      return Promise.resolve(answers[asked.length - 1] ?? [])
    }
    const result = yield* WebhookClient.use(({ post }) => post(new URL(url), { "x-test": "1" }, "{}")).pipe(
      Effect.result,
      Effect.provide(Layer.fresh(WebhookClient.layer)),
      Effect.provideService(Resolver, resolver),
      Effect.provide(Settings.layerFrom({ KILLMAILD_WEBHOOK_ALLOW: allow, KILLMAILD_CONTACT: "tests@localhost" }))
    )
    return { asked, result }
  }
)

describe("a webhook's message", () => {
  it.live("goes to the addresses that its name had, and the name is asked for once", () =>
    Effect.gen(function*() {
      const { asked: requests, port } = yield* serverOf((_, response) => response.writeHead(204).end())
      const place = `rebinding.test:${port}`
      const { asked, result } = yield* post(`http://${place}/x`, [["127.0.0.1"], ["10.0.0.1"]], place)
      assert.strictEqual(result._tag, "Success")
      assert.deepStrictEqual(asked, ["rebinding.test"])
      assert.strictEqual(requests(), 1)
    }))

  it.live("goes nowhere when any address of its name is not public", () =>
    Effect.gen(function*() {
      const { asked: requests, port } = yield* serverOf((_, response) => response.writeHead(204).end())
      for (
        const addresses of [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["fd00::1"], [
          "169.254.169.254"
        ]]
      ) {
        const { result } = yield* post(`http://public.test:${port}/`, [addresses])
        assert.isTrue(result._tag === "Failure" && result.failure._tag === "WebhookForbidden", addresses.join())
      }
      const { result } = yield* post(`http://127.0.0.1:${port}/`, [])
      assert.isTrue(result._tag === "Failure" && result.failure._tag === "WebhookForbidden")
      assert.strictEqual(requests(), 0)
    }))

  it.live("follows no redirect", () =>
    Effect.gen(function*() {
      const inside = yield* serverOf((_, response) => response.end("secrets"))
      const outside = yield* serverOf((_, response) =>
        response.writeHead(307, { location: `http://127.0.0.1:${inside.port}/` }).end()
      )
      const { result } = yield* post(`http://127.0.0.1:${outside.port}/`, [], `127.0.0.1:${outside.port}`)
      assert.isTrue(result._tag === "Success" && result.success.status === 307)
      assert.strictEqual(inside.asked(), 0)
    }))

  it.live("gets the beginning of an answer that has no end", () =>
    Effect.gen(function*() {
      const { port } = yield* serverOf((_, response) => {
        const more = () => {
          while (!response.destroyed && response.write("x".repeat(10_000)));
        }
        response.on("drain", more)
        more()
      })
      const { result } = yield* post(`http://127.0.0.1:${port}/`, [], `127.0.0.1:${port}`)
      assert.isTrue(result._tag === "Success" && result.success.text.length === 8192)
    }))

  it.live("that cannot be sent says so without its address", () =>
    Effect.gen(function*() {
      const { result } = yield* post("http://127.0.0.1:1/secret-token", [], "127.0.0.1:1")
      assert.isTrue(result._tag === "Failure")
      if (result._tag !== "Failure") return
      assert.match(result.failure.message, /^127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED/)
      assert.notInclude(result.failure.message, "secret-token")
      const { result: unknown } = yield* post("https://nobody.test/", [])
      assert.isTrue(unknown._tag === "Failure" && unknown.failure._tag === "WebhookUnreachable")
    }))
})
