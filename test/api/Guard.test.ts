import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { connect } from "node:net"
import { mostAtOnce } from "../../src/api/ClientLimits.ts"
import { problem, withDeadline, withProblems } from "../../src/api/Problem.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const daemon = Effect.fnUntraced(function*(overrides: Readonly<Record<string, string>> = {}) {
  const sandbox = yield* manualSandbox()
  const { url } = yield* migratedDatabase
  return yield* stoppableDaemon(url, sandbox, { KILLMAILD_FEEDS: "", ...overrides })
})

const ask = (url: string, init: RequestInit = {}) =>
  Effect.promise(async () => {
    const response = await fetch(url, init)
    return { status: response.status, headers: response.headers, text: await response.text() }
  })

/** As if through a proxy on this machine. */
const from = (address: string, headers: Readonly<Record<string, string>> = {}) => ({
  headers: { "x-forwarded-for": address, ...headers }
})

/** What the daemon answers to this text, until it closes the connection. */
const exchange = (url: string, text: string) =>
  Effect.promise(async () => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1")
    let received = ""
    socket.on("data", (chunk: Buffer) => received += chunk.toString())
    socket.write(text)
    await once(socket, "close")
    return received
  })

describe("the limit of a client", () => {
  it.live("is told with every answer, and ends in 429, for each client on its own", () =>
    Effect.gen(function*() {
      const { url } = yield* daemon({ KILLMAILD_RATE_LIMIT: "3", KILLMAILD_TRUSTED_PROXIES: "127.0.0.1" })
      const answers = yield* Effect.forEach([1, 2, 3, 4], () => ask(`${url}/openapi.json`, from("198.51.100.1")))
      assert.deepStrictEqual(answers.map(({ status }) => status), [200, 200, 200, 429])
      const [first] = answers
      assert.strictEqual(first!.headers.get("ratelimit-policy"), "\"client\";q=3;w=60")
      assert.strictEqual(first!.headers.get("ratelimit"), "\"client\";r=2;t=20")
      const { headers, text } = answers[3]!
      assert.match(headers.get("content-type")!, /^application\/problem\+json/)
      assert.strictEqual(headers.get("cache-control"), "no-store")
      assert.isAtLeast(Number(headers.get("retry-after")), 1)
      assert.deepInclude(JSON.parse(text), { status: 429, title: "Too Many Requests" })

      const upgrade = yield* exchange(
        url,
        "GET /ws HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
      )
      assert.match(upgrade, /^HTTP\/1\.1 429 [^]*retry-after: \d+/)
      const others = yield* Effect.forEach([
        from("198.51.100.2"),
        {},
        from("198.51.100.1", { authorization: "Bearer operator" })
      ], (init) => ask(`${url}/health/live`, init))
      assert.deepStrictEqual(others.map(({ status }) => status), [200, 200, 200])
      assert.deepStrictEqual(others.map(({ headers }) => headers.has("ratelimit")), [true, false, false])
      const wrong = yield* ask(`${url}/api/v1/queue`, from("198.51.100.1", { authorization: "Bearer wrong" }))
      assert.strictEqual(wrong.status, 429)
    }))

  it.live("is one for all behind a proxy that is not to be believed, and none when it is turned off", () =>
    Effect.gen(function*() {
      const { url } = yield* daemon({ KILLMAILD_RATE_LIMIT: "1" })
      const statuses = yield* Effect.forEach(
        ["198.51.100.1", "198.51.100.2"],
        (address) => Effect.map(ask(`${url}/health/live`, from(address)), ({ status }) => status)
      )
      assert.deepStrictEqual(statuses, [200, 429])
      const { url: open } = yield* daemon({ KILLMAILD_RATE_LIMIT: "0" })
      const { headers, status } = yield* ask(`${open}/health/live`, from("198.51.100.1"))
      assert.deepStrictEqual([status, headers.has("ratelimit")], [200, false])
    }))

  it.live("holds for what is open at a time, too, until it closes", () =>
    Effect.gen(function*() {
      const { url } = yield* daemon({ KILLMAILD_TRUSTED_PROXIES: "127.0.0.1" })
      const client = from("198.51.100.1")
      const aborts = Array.from({ length: mostAtOnce }, () => new AbortController())
      const streams = yield* Effect.promise(() =>
        Promise.all(aborts.map(({ signal }) => fetch(`${url}/api/v1/stream`, { ...client, signal })))
      )
      assert.deepStrictEqual([...new Set(streams.map(({ status }) => status))], [200])
      const refused = yield* ask(`${url}/health/live`, client)
      assert.strictEqual(refused.status, 429)
      assert.match(refused.text, /at a time/)
      for (const abort of aborts) abort.abort()
      while ((yield* ask(`${url}/health/live`, client)).status === 429) yield* Effect.sleep("20 millis")
    }), 60_000)
})

describe("the headers of an answer", () => {
  it.live(
    "keep browsers from guessing, framing and telling, and let the page of documentation run its own scripts",
    () =>
      Effect.gen(function*() {
        const { url } = yield* daemon({ KILLMAILD_PUBLIC_URL: "https://kills.example.org" })
        for (const path of ["/api/v1/feeds", "/nothing", "/metrics", "/r2z2/ephemeral/sequence.json"]) {
          const { headers } = yield* ask(url + path)
          assert.strictEqual(headers.get("x-content-type-options"), "nosniff", path)
          assert.strictEqual(headers.get("referrer-policy"), "no-referrer", path)
          assert.strictEqual(headers.get("content-security-policy"), "default-src 'none'; frame-ancestors 'none'", path)
          assert.match(headers.get("strict-transport-security")!, /^max-age=\d{8}$/, path)
        }
        const { headers, text } = yield* ask(`${url}/docs`)
        const policy = headers.get("content-security-policy")!
        const scripts = [...text.matchAll(/<script>([^]*?)<\/script>/g)]
        assert.isAbove(scripts.length, 0)
        for (const [, script] of scripts) assert.include(policy, createHash("sha256").update(script!).digest("base64"))
        assert.match(policy, /frame-ancestors 'none'/)
        assert.notMatch(policy, /script-src[^;]*unsafe|https?:/)
        const plain = yield* daemon()
        assert.isFalse((yield* ask(`${plain.url}/api/v1/feeds`)).headers.has("strict-transport-security"))
      }),
    90_000
  )

  it.live(
    "let pages of the listed origins read, all where all are allowed, and never with cookies",
    () =>
      Effect.gen(function*() {
        const mapper = { headers: { origin: "https://mapper.example.org" } }
        const allowed = (url: string, init: RequestInit = mapper) =>
          Effect.map(ask(`${url}/api/v1/feeds`, init), ({ headers }) => {
            assert.isNull(headers.get("access-control-allow-credentials"))
            return headers.get("access-control-allow-origin")
          })
        const none = yield* daemon()
        assert.isNull(yield* allowed(none.url))
        assert.strictEqual((yield* ask(`${none.url}/api/v1/feeds`, { ...mapper, method: "OPTIONS" })).status, 405)
        const all = yield* daemon({ KILLMAILD_ALLOWED_ORIGINS: "*" })
        assert.strictEqual(yield* allowed(all.url), "*")
        const listed = yield* daemon({ KILLMAILD_ALLOWED_ORIGINS: "https://mapper.example.org" })
        assert.strictEqual(yield* allowed(listed.url), "https://mapper.example.org")
        assert.isNull(yield* allowed(listed.url, { headers: { origin: "https://evil.example.org" } }))
        assert.isNull(yield* allowed(listed.url, {}))
        const problemToo = yield* ask(`${listed.url}/api/v1/killmails/0`, mapper)
        assert.deepStrictEqual([problemToo.status, problemToo.headers.get("access-control-allow-origin")], [
          400,
          "https://mapper.example.org"
        ])
        assert.match(problemToo.headers.get("vary")!, /Origin/)
        const preflight = yield* ask(`${listed.url}/api/v1/killmails`, {
          method: "OPTIONS",
          headers: { ...mapper.headers, "access-control-request-method": "POST" }
        })
        assert.strictEqual(preflight.status, 204)
        assert.match(preflight.headers.get("access-control-allow-headers")!, /authorization/)
      }),
    90_000
  )
})

describe("a request", () => {
  it.live("that is no HTTP is told so with a problem, and the connection ends", () =>
    Effect.gen(function*() {
      const { url } = yield* daemon()
      const cases = [
        ["\u0000\u0001\u0002\r\n\r\n", 400],
        ["GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400],
        ["GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
        ["POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400],
        [`GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431]
      ] as const
      for (const [text, status] of cases) {
        const answer = yield* exchange(url, text)
        assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [^]*application/problem\\+json`), text.slice(0, 60))
        assert.include(answer, `"status":${status}`)
      }
    }))

  it.live("that is sent too slowly is given up within seconds of its deadline", () =>
    Effect.gen(function*() {
      const { url } = yield* daemon()
      const started = performance.now()
      const answer = yield* exchange(url, "GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ")
      assert.match(answer, /^HTTP\/1\.1 408 [^]*"status":408/)
      assert.isBelow(performance.now() - started, 20_000)
    }), 60_000)

  it.effect("that is not answered in time is answered with 503", () =>
    Effect.gen(function*() {
      const answer = yield* Effect.forkChild(withDeadline(Effect.never))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(answer)).status, 503)
      assert.strictEqual((yield* withDeadline(Effect.succeed(problem(404)))).status, 404)
    }))

  it.live("whose handler dies learns nothing of our inside", () =>
    Effect.gen(function*() {
      const deaths = [
        Effect.die(new Error("the password is hunter2")),
        Effect.sync(() => {
          throw new TypeError("undefined is not a function at /srv/killmaild/src/api/Secret.ts:1")
        }),
        Effect.die({ toString: () => "hunter2" })
      ]
      for (const death of deaths) {
        const response = yield* withProblems(death).pipe(
          Effect.provideService(
            HttpServerRequest.HttpServerRequest,
            HttpServerRequest.fromWeb(new Request("http://localhost/api/v1/feeds"))
          ),
          Effect.provide(Logger.layer([]))
        )
        const web = HttpServerResponse.toWeb(response)
        const text = yield* Effect.promise(() => web.text())
        assert.strictEqual(web.status, 500)
        assert.match(web.headers.get("content-type")!, /^application\/problem\+json/)
        assert.notMatch(text, /hunter2|TypeError|\.ts|node_modules/)
      }
    }))
})
