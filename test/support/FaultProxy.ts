/** A TCP proxy that a test puts before a server, Postgres or HTTP, and that does to its connections what networks do. */
import { Effect, type Scope } from "effect"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"

export type Fault =
  /** All connections end, new ones do too. */
  | { readonly kind: "cut" }
  /** Nothing comes through, not even an end; what was held back does once this is over, as TCP would repeat it. */
  | { readonly kind: "silence" }
  /** What is open stays open and silent for good, as after a firewall forgot it. New connections are well. */
  | { readonly kind: "half-open" }
  /** Every piece is late by so much, in both directions. */
  | { readonly kind: "latency"; readonly millis: number }
  /** Answers come so slowly. */
  | { readonly kind: "drip"; readonly bytesPerSecond: number }
  /** A connection is reset once so many bytes of answers have come through it from now on. */
  | { readonly kind: "reset"; readonly afterBytes: number }

export interface FaultProxy {
  /** The server's URL, by way of the proxy. */
  readonly url: string
  /** Until `restore`, or the next fault. */
  readonly apply: (fault: Fault) => void
  readonly restore: () => void
}

interface Connection {
  readonly near: Socket
  readonly far: Socket
  isForgotten: boolean
  /** Bytes of answers since the fault began. */
  answered: number
}

/** Before the server of this URL. Closed with the scope, and all its connections with it. */
export const faultProxy: (target: string) => Effect.Effect<FaultProxy, never, Scope.Scope> = Effect.fnUntraced(
  function*(
    target
  ) {
    const network = new Network()
    const server = createServer((near) => network.join(near, connect(addressOf(new URL(target)))))
    yield* Effect.acquireRelease(
      Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
      () =>
        Effect.promise(() =>
          new Promise<void>((resolve) => {
            server.close(() => resolve())
            network.endAll()
          })
        )
    )
    return {
      url: throughPort(new URL(target), (server.address() as AddressInfo).port),
      apply: (fault) => network.change(fault),
      restore: () => network.change(undefined)
    }
  }
)

class Network {
  readonly #connections = new Set<Connection>()
  #fault: Fault | undefined
  #changed = Promise.withResolvers<void>()

  join(near: Socket, far: Socket): void {
    const connection = { near, far, isForgotten: false, answered: 0 }
    this.#connections.add(connection)
    for (const [source, sink] of [[near, far], [far, near]] as const) {
      source.on("error", () => {})
      const over = () => this.#mayPass(connection).then(() => this.#end(connection))
      this.#pump(connection, source, sink).then(over, over)
    }
    if (this.#fault?.kind === "cut") this.#end(connection)
  }

  change(fault: Fault | undefined): void {
    this.#fault = fault
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
    for (const connection of this.#connections) {
      connection.answered = 0
      if (fault?.kind === "half-open") connection.isForgotten = true
    }
    if (fault?.kind === "cut") this.endAll()
  }

  endAll(): void {
    for (const connection of this.#connections) this.#end(connection)
  }

  #end(connection: Connection): void {
    this.#connections.delete(connection)
    if (!connection.near.destroyed) connection.near.resetAndDestroy()
    connection.far.destroy()
  }

  /** Ends when this connection's bytes may go on their way; never for one that is forgotten. */
  async #mayPass(connection: Connection): Promise<void> {
    while (this.#fault?.kind === "silence") await this.#changed.promise
    if (connection.isForgotten) await new Promise<never>(() => {})
  }

  /** One direction. While it waits, nothing is read, so that the sender is held up as by a network. */
  async #pump(connection: Connection, source: Socket, sink: Socket): Promise<void> {
    const isAnswer = source === connection.far
    for await (const bytes of source as AsyncIterable<Buffer>) {
      if (this.#fault?.kind === "latency") await sleep(this.#fault.millis)
      await this.#mayPass(connection)
      const fault = isAnswer ? this.#fault : undefined
      if (fault?.kind === "drip") await this.#drip(connection, bytes, fault.bytesPerSecond)
      else if (fault?.kind === "reset" && connection.answered + bytes.length > fault.afterBytes) {
        return write(sink, bytes.subarray(0, fault.afterBytes - connection.answered))
      } else await write(sink, bytes)
      if (isAnswer) connection.answered += bytes.length
    }
  }

  async #drip(connection: Connection, bytes: Buffer, bytesPerSecond: number): Promise<void> {
    const size = Math.ceil(bytesPerSecond / 100)
    for (let at = 0; at < bytes.length; at += size) {
      if (this.#fault?.kind === "drip") await sleep(1000 * size / bytesPerSecond)
      await this.#mayPass(connection)
      await write(connection.near, bytes.subarray(at, at + size))
    }
  }
}

const write = async (sink: Socket, bytes: Buffer): Promise<void> => {
  if (!sink.writable || sink.write(bytes)) return
  await new Promise<void>((resolve) => {
    const go = () => {
      sink.off("drain", go).off("close", go)
      resolve()
    }
    sink.on("drain", go).on("close", go)
  })
}

/** Of the server, which may be a Postgres that listens on a Unix socket only. */
const addressOf = (url: URL) => {
  const port = Number(url.port || 5432)
  const host = url.searchParams.get("host") ?? decodeURIComponent(url.hostname)
  return host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }
}

const throughPort = ({ password, pathname, protocol, username }: URL, port: number): string => {
  const url = new URL(`${protocol}//127.0.0.1:${port}${pathname}`)
  url.username = username
  url.password = password
  return url.href
}
