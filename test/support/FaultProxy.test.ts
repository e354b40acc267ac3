import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { type Fault, faultProxy } from "./FaultProxy.ts"

/** Answers every piece with a hundred bytes, and counts who hung up. */
const server = Effect.acquireRelease(
  Effect.promise(async () => {
    const state = { ended: 0 }
    const server = createServer((socket) => {
      socket.on("data", () => socket.write("x".repeat(100)))
      socket.on("error", () => {})
      socket.on("close", () => state.ended++)
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    return { server, state, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/path` }
  }),
  ({ server }) => Effect.sync(() => void server.close())
)

const client = (url: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) })
      const state = { bytes: 0, error: "" }
      socket.on("data", (bytes) => {
        state.bytes += bytes.length
      })
      socket.on("error", (error: NodeJS.ErrnoException) => {
        state.error = error.code ?? ""
      })
      await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve))
      return { socket, state }
    }),
    ({ socket }) => Effect.sync(() => void socket.destroy())
  )

const bytesReach = (state: { readonly bytes: number }, wanted: number) =>
  Effect.gen(function*() {
    while (state.bytes < wanted) yield* Effect.sleep("2 millis")
  })

/** Whether nothing comes for a while. */
const staysAt = (state: { readonly bytes: number }, wanted: number) =>
  Effect.gen(function*() {
    yield* Effect.sleep("100 millis")
    assert.strictEqual(state.bytes, wanted)
  })

const closed = (socket: Socket) =>
  Effect.promise(() =>
    new Promise<void>((resolve) => socket.closed ? resolve() : socket.once("close", () => resolve()))
  )

/** A client that has had one answer, and then the fault. */
const during = Effect.fnUntraced(function*(fault: Fault) {
  const { state: far, url } = yield* server
  const proxy = yield* faultProxy(url)
  const { socket, state } = yield* client(proxy.url)
  socket.write("?")
  yield* bytesReach(state, 100)
  proxy.apply(fault)
  return { far, proxy, socket, state }
})

describe("a proxy", () => {
  it.live("is at the same path as its server", () =>
    Effect.gen(function*() {
      const { url } = yield* server
      assert.match((yield* faultProxy(url)).url, /^http:\/\/127\.0\.0\.1:\d+\/path$/)
      const socket = "postgres://postgres:secret@%2Ftmp%2Fsome/database"
      assert.match((yield* faultProxy(socket)).url, /^postgres:\/\/postgres:secret@127\.0\.0\.1:\d+\/database$/)
    }))

  it.live("cuts what is open and what comes, until it is restored", () =>
    Effect.gen(function*() {
      const { proxy, socket } = yield* during({ kind: "cut" })
      yield* closed(socket)
      yield* closed((yield* client(proxy.url)).socket)
      proxy.restore()
      const { socket: next, state } = yield* client(proxy.url)
      next.write("?")
      yield* bytesReach(state, 100)
    }))

  it.live("is silent without telling either side, not even of an end, and lets all through afterwards", () =>
    Effect.gen(function*() {
      const { far, proxy, socket, state } = yield* during({ kind: "silence" })
      socket.write("?")
      const other = yield* client(proxy.url)
      other.socket.destroy()
      yield* staysAt(state, 100)
      assert.isFalse(socket.closed)
      assert.strictEqual(far.ended, 0)
      proxy.restore()
      yield* bytesReach(state, 200)
      while (far.ended === 0) yield* Effect.sleep("2 millis")
    }))

  it.live("forgets what is open for good, and serves what comes", () =>
    Effect.gen(function*() {
      const { far, proxy, socket, state } = yield* during({ kind: "half-open" })
      socket.write("?")
      const next = yield* client(proxy.url)
      next.socket.write("?")
      yield* bytesReach(next.state, 100)
      proxy.restore()
      socket.destroy()
      yield* staysAt(state, 100)
      assert.strictEqual(far.ended, 0)
    }))

  it.live("is late", () =>
    Effect.gen(function*() {
      const { socket, state } = yield* during({ kind: "latency", millis: 50 })
      const began = performance.now()
      socket.write("?")
      yield* bytesReach(state, 200)
      assert.isAbove(performance.now() - began, 95)
    }))

  it.live("drips", () =>
    Effect.gen(function*() {
      const { socket, state } = yield* during({ kind: "drip", bytesPerSecond: 200 })
      const began = performance.now()
      socket.write("?")
      yield* bytesReach(state, 110)
      assert.isBelow(state.bytes, 190)
      yield* bytesReach(state, 200)
      assert.isAbove(performance.now() - began, 450)
    }))

  it.live("resets a connection in the middle of an answer", () =>
    Effect.gen(function*() {
      const { far, socket, state } = yield* during({ kind: "reset", afterBytes: 30 })
      socket.write("?")
      yield* closed(socket)
      assert.deepStrictEqual(state, { bytes: 130, error: "ECONNRESET" })
      while (far.ended === 0) yield* Effect.sleep("2 millis")
    }))
})
