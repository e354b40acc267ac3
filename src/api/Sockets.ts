/**
 * WebSockets as every protocol here has them: who may connect, how much a client may say and leave unread, pings, and the end
 * of a connection.
 */
import { Effect } from "effect"
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { type RawData, type WebSocket, WebSocketServer as Server } from "ws"
import { refuse } from "./Problem.ts"

/** Bytes of one message from a client; the largest that means something is far smaller. */
const maxPayload = 64 * 1024
/** Bytes that may wait for a slow client before it is cut off with 1013; it can resume. */
const maxBuffered = 8 * 1024 * 1024
/** Above this many waiting bytes a replay waits for its reader. */
const replayBuffered = 512 * 1024
/** Milliseconds between pings; a client that missed two is gone. */
const pingMillis = 30_000
/** Messages a minute from one client. */
const messagesPerMinute = 120
const maxConnections = 20_000
/** Milliseconds that a client which is cut off gets to read why. */
const goodbyeMillis = 10_000
/** Milliseconds that all clients get to answer the goodbye when the daemon stops. */
const closingMillis = 1000

export interface Connection {
  readonly socket: WebSocket
  /** Cuts off a client that does not read. */
  readonly send: (message: string) => void
  /** As `send`, of a message in UTF-8 that others are sent, too: its frame is made once. */
  readonly sendShared: (message: Buffer) => void
  /** Ends when the socket has room again, so that a replay goes as fast as its reader. */
  readonly drained: Effect.Effect<void>
  /** The client is too slow: it is told so, and can resume. */
  readonly cutOff: () => void
}

/** What a protocol makes of a connection. */
export interface Conversation {
  /** One message; what is no text is empty. */
  readonly received: (text: string) => void
  readonly closed: () => void
}

export interface Sockets {
  /** Takes over a connection that asked for an upgrade. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Tells all clients to come back later; ends when they have gone. */
  readonly close: Effect.Effect<void>
}

export interface Options {
  readonly allowedOrigins: ReadonlyArray<string>
  /** Of those that the client offers; `false` takes none of them. */
  readonly chooseProtocol?: (offered: Set<string>) => string | false
  readonly serve: (connection: Connection) => Conversation
}

export const make = ({ allowedOrigins, chooseProtocol, serve }: Options): Sockets => {
  const server = new Server({
    noServer: true,
    maxPayload,
    perMessageDeflate: false,
    ...(chooseProtocol === undefined ? {} : { handleProtocols: chooseProtocol })
  })
  server.on("wsClientError", ({ message }, socket) => {
    refuse(socket, 400, `${message}; wants a WebSocket's.`, { "Sec-WebSocket-Version": "13" })
  })

  const accept = (socket: WebSocket, wire: Duplex) => {
    let missedPongs = 0
    let received = 0
    const conversation = serve(connectionOn(socket, wire))
    const pings = setInterval(() => {
      if (missedPongs++ >= 2) return socket.terminate()
      socket.ping()
      received = Math.max(0, received - messagesPerMinute * pingMillis / 60_000)
    }, pingMillis)
    socket.on("pong", () => {
      missedPongs = 0
    })
    socket.on("message", (data: RawData, isBinary: boolean) => {
      if (++received > messagesPerMinute) {
        return socket.close(1008, `Wants at most ${messagesPerMinute} messages a minute.`)
      }
      conversation.received(isBinary ? "" : data.toString())
    })
    // ws reports a broken frame or an oversized message here and closes by itself.
    socket.on("error", () => {})
    socket.on("close", () => {
      clearInterval(pings)
      conversation.closed()
    })
  }

  return {
    upgrade: (request, socket, head) => {
      if (!originAllowed(request, allowedOrigins)) {
        return refuse(socket, 403, "This Origin may not connect; KILLMAILD_ALLOWED_ORIGINS lists those that may.")
      }
      if (server.clients.size >= maxConnections) {
        return refuse(socket, 503, `There are ${maxConnections} connections already.`)
      }
      server.handleUpgrade(request, socket, head, (client) => accept(client, socket))
    },
    close: Effect.callback<void>((resume) => {
      for (const socket of server.clients) socket.close(1012, "The daemon restarts: resume shortly.")
      const deadline = setTimeout(() => {
        for (const socket of server.clients) socket.terminate()
      }, closingMillis)
      server.close(() => {
        clearTimeout(deadline)
        resume(Effect.void)
      })
    })
  }
}

const connectionOn = (socket: WebSocket, wire: Duplex): Connection => {
  const cutOff = () => {
    socket.close(1013, "Too slow: resume after the last sequence you have.")
    // The close frame waits behind the unread megabytes, and perhaps for ever.
    setTimeout(() => socket.terminate(), goodbyeMillis).unref()
  }
  const drained: Effect.Effect<void> = Effect.suspend(() =>
    socket.readyState === socket.OPEN && socket.bufferedAmount > replayBuffered
      ? Effect.andThen(Effect.sleep("20 millis"), drained)
      : Effect.void
  )
  const hasRoom = (): boolean => {
    if (socket.readyState !== socket.OPEN) return false
    if (socket.bufferedAmount <= maxBuffered) return true
    cutOff()
    return false
  }
  return {
    socket,
    send: (message) => {
      if (hasRoom()) socket.send(message)
    },
    // Past ws, which would make a frame for each; it writes what it is given at once, and so both stay in order.
    sendShared: (message) => {
      if (hasRoom()) writeInBurst(wire, frameOf(message))
    },
    drained,
    cutOff
  }
}

/** Those that hold back what was written in this turn, so that a burst is one call of the system for each client. */
const held = new Set<Duplex>()
/** Bytes that are held back at most: a client is not to look slow that was not written to. */
const longestBurst = 256 * 1024

const writeInBurst = (wire: Duplex, frame: Buffer) => {
  if (held.size === 0) process.nextTick(() => [...held].forEach(letGo))
  if (!held.has(wire)) {
    held.add(wire)
    wire.cork()
  }
  wire.write(frame)
  if (wire.writableLength > longestBurst) letGo(wire)
}

const letGo = (wire: Duplex) => {
  held.delete(wire)
  wire.uncork()
}

const frames = new WeakMap<Buffer, Buffer>()
const frameOf = (message: Buffer): Buffer => {
  const known = frames.get(message)
  if (known !== undefined) return known
  const frame = textFrame(message)
  frames.set(message, frame)
  return frame
}

/** A whole message of text, unmasked as servers send it (RFC 6455, 5.2). */
const textFrame = (message: Buffer): Buffer => {
  const { length } = message
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  header[0] = 0x81
  if (length < 126) header[1] = length
  else if (length < 65_536) {
    header[1] = 126
    header.writeUInt16BE(length, 2)
  } else {
    header[1] = 127
    header.writeBigUInt64BE(BigInt(length), 2)
  }
  return Buffer.concat([header, message])
}

/** Programs send no Origin. A browser may connect from the very host it asks, or from where the operator allows. */
const originAllowed = ({ headers }: IncomingMessage, allowed: ReadonlyArray<string>): boolean => {
  const { host, origin } = headers
  if (origin === undefined || allowed.includes("*") || allowed.includes(origin)) return true
  return host !== undefined && URL.parse(origin)?.host === host.toLowerCase()
}
