import { assert, layer } from "@effect/vitest"
import { Context, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { once } from "node:events"
import { connect } from "node:net"
import { killmailOf } from "../../src/sandbox/World.ts"
import { ApiDaemon } from "../support/ApiDaemon.ts"

const { hash, killmail } = killmailOf("http", 11)
const id = killmail.killmail_id

/** Tells what a system is called. */
const nameSystem = Effect.fnUntraced(function*(systemId: number, name: string) {
  const { context } = yield* ApiDaemon
  yield* Context.get(context, SqlClient.SqlClient)`insert into solar_systems values (${systemId}, ${name}, 1, 1, 0)`
})

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // What a test looks into is what it asserts.
  readonly json: Record<string, unknown>
}

const ask = (path: string, init: RequestInit = {}) =>
  Effect.flatMap(ApiDaemon, ({ url }) =>
    Effect.promise(async (): Promise<Answer> => {
      const response = await fetch(url + path, init)
      const text = await response.text()
      const json = (response.headers.get("content-type") ?? "").includes("json") && text !== "" ? JSON.parse(text) : {}
      return { status: response.status, headers: response.headers, text, json }
    }))

const post = (body: string, token: string | null = "operator") =>
  ask("/api/v1/killmails", {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      ...(token === null ? {} : { authorization: `Bearer ${token}` })
    }
  })

/** The answer is a problem of this status, and says nothing of our inside. */
const assertProblem = ({ headers, json, text }: Answer, status: number, about: string) => {
  assert.deepStrictEqual([json["status"], about], [status, about], text)
  assert.match(headers.get("content-type") ?? "", /^application\/problem\+json/, about)
  assert.strictEqual(typeof json["title"], "string", about)
  assert.notMatch(text, /node_modules|\.ts:|at .*\(/, about)
}

layer(ApiDaemon.layer([killmail], Effect.void), { excludeTestServices: true, timeout: 60_000 })(
  "the HTTP interface",
  (it) => {
    it.effect("shows a killmail, and its body just as it was published", () =>
      Effect.gen(function*() {
        const shown = yield* ask(`/api/v1/killmails/${id}`)
        assert.strictEqual(shown.status, 200)
        assert.deepInclude(shown.json, { ...killmail, hash, sequence: 1, value: null, names: {} })
        const esi = yield* ask(`/api/v1/killmails/${id}/esi`)
        assert.strictEqual(esi.status, 200)
        assert.deepStrictEqual(esi.json, { ...killmail })
      }))

    it.effect("answers a killmail that is not here with 404, and what is no id with 400", () =>
      Effect.gen(function*() {
        assertProblem(yield* ask("/api/v1/killmails/1"), 404, "unknown")
        assertProblem(yield* ask("/api/v1/killmails/1/esi"), 404, "unknown")
        for (const bad of ["abc", "-1", "0", "1.5", "9".repeat(30), "%00", "1e400"]) {
          assertProblem(yield* ask(`/api/v1/killmails/${bad}`), 400, bad)
        }
      }))

    it.effect("takes a killmail by id and hash or by its address, once", () =>
      Effect.gen(function*() {
        const other = killmailOf("http", 12)
        const ref = { killmail_id: other.killmail.killmail_id, hash: other.hash }
        const known = yield* post(JSON.stringify({ killmail_id: id, hash }))
        assert.deepStrictEqual([known.status, known.json], [202, { killmail_id: id, hash, status: "known" }])
        const byRef = yield* post(JSON.stringify(ref))
        assert.deepStrictEqual([byRef.status, byRef.json], [202, { ...ref, status: "queued" }])
        const url = `https://esi.evetech.net/latest/killmails/${ref.killmail_id}/${ref.hash}/?datasource=tranquility`
        const byUrl = yield* post(JSON.stringify({ url }))
        assert.deepInclude(byUrl.json, ref)
        const queue = yield* ask("/api/v1/queue", { headers: { authorization: "Bearer operator" } })
        assert.strictEqual(queue.status, 200)
      }))

    it.effect("refuses what is no killmail, is no JSON or is too large", () =>
      Effect.gen(function*() {
        for (const body of ["{", "", "[]", "null", "{}", "{\"url\":\"https://example.com/\"}", "\"x\"", "\u0000"]) {
          assertProblem(yield* post(body), 400, body)
        }
        const wrong = [{ killmail_id: id, hash: "xyz" }, { killmail_id: "1", hash }, { killmail_id: -1, hash }, {
          url: 7
        }]
        for (const body of wrong) assertProblem(yield* post(JSON.stringify(body)), 400, JSON.stringify(body))
        assertProblem(yield* post(JSON.stringify({ url: "x".repeat(1_000_001) })), 413, "large")
        const plain = yield* ask("/api/v1/killmails", {
          method: "POST",
          body: "id=1",
          headers: { authorization: "Bearer operator", "content-type": "text/plain" }
        })
        assertProblem(plain, 415, "text/plain")
      }))

    it.effect("lets the operator alone name killmails and see the queue", () =>
      Effect.gen(function*() {
        const body = JSON.stringify({ killmail_id: id, hash })
        const refused = yield* post(body, null)
        assertProblem(refused, 401, "without a token")
        assert.strictEqual(refused.headers.get("www-authenticate"), "Bearer realm=\"killmaild\"")
        for (const authorization of [undefined, "Bearer ", "Bearer wrong", "Basic b3BlcmF0b3I6", "operator"]) {
          const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
          assertProblem(yield* ask("/api/v1/queue", { headers }), 401, String(authorization))
          assertProblem(
            yield* ask("/api/v1/killmails", { method: "POST", body, headers }),
            401,
            String(authorization)
          )
        }
      }))

    it.effect("answers unknown paths and methods with a problem, and HEAD as GET without the body", () =>
      Effect.gen(function*() {
        for (
          const path of [
            "/",
            "/api",
            "/api/v1/nothing",
            "/api/V1/feeds",
            "/api//v1/feeds",
            "/nothing/at/all",
            "//",
            "/%2e%2e/etc/passwd",
            "/api/v1/killmails/%F0%28"
          ]
        ) {
          assertProblem(yield* ask(path), 404, path)
        }
        for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS"]) {
          const answer = yield* ask(`/api/v1/killmails/${id}`, { method })
          assertProblem(answer, 405, method)
          assert.strictEqual(answer.headers.get("allow"), "GET, HEAD")
        }
        assertProblem(yield* ask("/metrics", { method: "POST" }), 405, "/metrics")
        assert.strictEqual((yield* ask("/api/v1/killmails", { method: "PUT" })).headers.get("allow"), "GET, POST, HEAD")
        assertProblem(yield* ask("/ws"), 426, "/ws without an upgrade")
        const head = yield* ask(`/api/v1/killmails/${id}`, { method: "HEAD" })
        assert.deepStrictEqual([head.status, head.text], [200, ""])
        const missing = yield* ask("/api/v1/killmails/1", { method: "HEAD" })
        assert.deepStrictEqual([missing.status, missing.text], [404, ""])
      }))

    it.effect("says how long an answer holds, and answers 304 while it does", () =>
      Effect.gen(function*() {
        const path = `/api/v1/killmails/${id}`
        const { headers } = yield* ask(path)
        const etag = headers.get("etag")!
        assert.match(etag, /^W\/"[\w-]+"$/)
        assert.strictEqual(headers.get("cache-control"), "public, max-age=60")
        const again = yield* ask(path, { headers: { "if-none-match": `"other", ${etag}` } })
        assert.deepStrictEqual([again.status, again.text, again.headers.get("etag")], [304, "", etag])
        assert.strictEqual((yield* ask(path, { headers: { "if-none-match": "W/\"other\"" } })).status, 200)
        // The names are part of what it says.
        yield* nameSystem(killmail.solar_system_id, "Some System")
        const renamed = yield* ask(path, { headers: { "if-none-match": etag } })
        assert.deepStrictEqual([renamed.status, renamed.json["names"]], [200, {
          [killmail.solar_system_id]: "Some System"
        }])
        assert.match((yield* ask(`${path}/esi`)).headers.get("cache-control")!, /immutable/)
        assert.strictEqual((yield* ask("/api/v1/killmails/1")).headers.get("cache-control"), "no-store")
        const operators = yield* ask("/api/v1/queue", { headers: { authorization: "Bearer operator" } })
        assert.strictEqual(operators.headers.get("cache-control"), "no-store")
        assert.strictEqual((yield* ask("/api/v1/killmails")).headers.get("cache-control"), "no-cache")
      }))

    it.effect("compresses for who wants it, the same answer either way", () =>
      Effect.gen(function*() {
        const plain = yield* ask("/openapi.json", { headers: { "accept-encoding": "identity" } })
        assert.isNull(plain.headers.get("content-encoding"))
        for (const encoding of ["br", "gzip"]) {
          const packed = yield* ask("/openapi.json", { headers: { "accept-encoding": encoding } })
          assert.strictEqual(packed.headers.get("content-encoding"), encoding)
          assert.strictEqual(packed.headers.get("vary"), "Accept-Encoding")
          assert.strictEqual(packed.text, plain.text)
        }
      }))

    it.effect("survives requests that are hardly HTTP", () =>
      Effect.gen(function*() {
        const { port } = new URL((yield* ApiDaemon).url)
        const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        const lines = [
          `GET // HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`,
          `GET http://[ HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`,
          "GET // HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
          "GET http://[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
          "GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
          `GET /nowhere HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`
        ]
        for (const text of lines) {
          const answer = yield* Effect.promise(async () => {
            const socket = connect(Number(port), "127.0.0.1")
            let received = ""
            socket.on("data", (chunk: Buffer) => received += chunk.toString())
            socket.write(text)
            await once(socket, "close")
            return received
          })
          assert.match(answer, /^HTTP\/1\.1 4\d\d /, text)
          assert.match(answer, /"status":4\d\d/, text)
        }
        assert.strictEqual((yield* ask("/health/live")).status, 200)
      }))

    it.effect("is described by OpenAPI 3.1, and its page of documentation needs no other server", () =>
      Effect.gen(function*() {
        const { json, status } = yield* ask("/openapi.json")
        assert.strictEqual(status, 200)
        assert.match(String(json["openapi"]), /^3\.1\.\d+$/)
        const paths = json["paths"] as Record<string, Record<string, Record<string, unknown>>>
        assert.includeMembers(Object.keys(paths), [
          "/api/v1/killmails/{id}",
          "/api/v1/killmails/{id}/esi",
          "/api/v1/killmails/{id}/valuation",
          "/api/v1/killmails",
          "/api/v1/characters/{id}",
          "/api/v1/corporations/{id}",
          "/api/v1/alliances/{id}",
          "/api/v1/character-groups/{id}",
          "/api/v1/stream",
          "/api/v1/feeds",
          "/api/v1/queue"
        ])
        const operations = Object.values(paths).flatMap((item) => Object.values(item))
        const names = operations.map((operation) => operation["operationId"])
        assert.strictEqual(new Set(names).size, operations.length)
        for (const operation of operations) assert.isAbove(Object.keys(operation["responses"] as object).length, 0)
        for (const [path, item] of Object.entries(paths)) {
          const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
          for (const { parameters } of Object.values(item)) {
            const named = (parameters as ReadonlyArray<{ readonly in: string; readonly name: string }>)
              .filter((parameter) => parameter.in === "path").map(({ name }) => name)
            assert.sameMembers(named, wanted as Array<string>)
          }
        }
        for (const [, pointer] of JSON.stringify(json).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
          const found = pointer!.split("/").reduce<unknown>(
            (inside, key) => (inside as Record<string, unknown>)[key.replaceAll("~1", "/").replaceAll("~0", "~")],
            json
          )
          assert.isDefined(found, pointer)
        }

        const docs = yield* ask("/docs")
        assert.strictEqual(docs.status, 200)
        const page = docs.text.replaceAll(/<script>[^]*?<\/script>/g, "")
        assert.notMatch(page, /(src|href)\s*=|@import|url\(/)
        assert.include(docs.text, "\"withDefaultFonts\":false")
      }))
  }
)
