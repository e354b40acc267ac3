/**
 * A process of its own that plays many clients of WebSocket servers, as cheaply as they can be played: a socket each, and no
 * more read of a frame than its length and its first bytes. Its parent tells it what to do and asks what it heard.
 */
import { connect, type Socket } from "node:net"

export interface Connect {
  readonly command: "connect"
  readonly port: number
  readonly count: number
}
/** Each client's message; or, of one, everybody's. */
export interface Say {
  readonly command: "say"
  readonly port: number
  readonly messages: ReadonlyArray<string>
}
/** Forgets what was heard so far. */
export interface Forget {
  readonly command: "forget"
}
export interface Ask {
  readonly command: "ask"
}
export type Command = Connect | Say | Forget | Ask

export interface Heard {
  /** Subscriptions that hear live. */
  readonly caughtUp: number
  /** Frames with a killmail. */
  readonly deliveries: number
  /** When the first and the last of them came, in milliseconds since 1970. */
  readonly firstAt: number
  readonly lastAt: number
  /** Bytes of the last one's frame. */
  readonly bytes: number
  /** Sequence of each delivery, and when it came. */
  readonly arrivals: ReadonlyArray<readonly [sequence: number, at: number]>
}

const clients = new Map<number, Array<Socket>>()
const nothing: Heard = { caughtUp: 0, deliveries: 0, firstAt: 0, lastAt: 0, bytes: 0, arrivals: [] }
let heard = { ...nothing, arrivals: [] as Array<readonly [number, number]> }

const killmailStart = Buffer.from("{\"type\":\"killmail\"")
const caughtUpStart = Buffer.from("{\"type\":\"caught_up\"")
const startsWith = (message: Buffer, start: Buffer) => message.subarray(0, start.length).equals(start)
/** Of a frame so much tells what it is, and its sequence. */
const startLength = 120
/** Deliveries whose arrival is kept: enough for a distribution. */
const mostArrivals = 200_000

const now = () => performance.timeOrigin + performance.now()

const hear = (start: Buffer, bytes: number) => {
  if (startsWith(start, caughtUpStart)) heard.caughtUp++
  if (!startsWith(start, killmailStart)) return
  const at = now()
  if (heard.deliveries === 0) heard.firstAt = at
  heard.lastAt = at
  heard.deliveries++
  heard.bytes = bytes
  if (heard.arrivals.length === mostArrivals) return
  const sequence = /"sequence":(\d+)/.exec(start.toString("latin1"))?.[1]
  if (sequence !== undefined) heard.arrivals.push([Number(sequence), at])
}

/** Takes frames apart as they come in pieces: what is left of the one under way, and its start until that is known. */
const reader = () => {
  let rest: Buffer = Buffer.alloc(0)
  let left = 0
  return (data: Buffer) => {
    let chunk = rest.length === 0 ? data : Buffer.concat([rest, data])
    rest = Buffer.alloc(0)
    for (;;) {
      if (left > 0) {
        const taken = Math.min(left, chunk.length)
        left -= taken
        chunk = chunk.subarray(taken)
      }
      if (chunk.length === 0) return
      const short = chunk.length < 2 ? 127 : chunk[1]! & 127
      const header = short < 126 ? 2 : short === 126 ? 4 : 10
      const length = chunk.length < header
        ? undefined
        : short < 126
        ? short
        : short === 126
        ? chunk.readUInt16BE(2)
        : Number(chunk.readBigUInt64BE(2))
      if (length === undefined || chunk.length < header + Math.min(length, startLength)) {
        rest = Buffer.from(chunk)
        return
      }
      if ((chunk[0]! & 15) === 1) hear(chunk.subarray(header, header + Math.min(length, startLength)), header + length)
      left = header + length
    }
  }
}

/** Ends when the server has taken the connection over. */
const open = (port: number) =>
  new Promise<Socket>((resolve, reject) => {
    const socket = connect(port, "127.0.0.1")
    socket.setNoDelay(true)
    socket.once("connect", () =>
      socket.write(
        `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
      ))
    socket.once("data", (answer: Buffer) => {
      const end = answer.indexOf("\r\n\r\n")
      if (!answer.subarray(0, 12).equals(Buffer.from("HTTP/1.1 101")) || end < 0) {
        return reject(new Error(answer.toString().slice(0, 200)))
      }
      const read = reader()
      read(answer.subarray(end + 4))
      socket.on("data", read)
      resolve(socket)
    })
    socket.once("error", reject)
    // Whoever is cut off hears no more, and is missed in the count.
    socket.on("error", () => {})
  })

/** As clients must, masked: with zeros, which changes nothing. */
const frameOf = (message: string): Buffer => {
  const payload = Buffer.from(message)
  const { length } = payload
  const header = Buffer.alloc(length < 126 ? 6 : 8)
  header[0] = 0x81
  if (length < 126) header[1] = 0x80 | length
  else {
    header[1] = 0x80 | 126
    header.writeUInt16BE(length, 2)
  }
  return Buffer.concat([header, payload])
}

/** Connections that are opened at a time. */
const atOnce = 50

process.on("message", (command: Command) => {
  void obey(command).then((answer) => process.send!(answer), (error: Error) => process.send!({ error: error.message }))
})

const obey = async (command: Command): Promise<object> => {
  switch (command.command) {
    case "connect": {
      const sockets: Array<Socket> = []
      clients.set(command.port, sockets)
      while (sockets.length < command.count) {
        const some = Math.min(atOnce, command.count - sockets.length)
        sockets.push(...await Promise.all(Array.from({ length: some }, () => open(command.port))))
      }
      return {}
    }
    case "say": {
      const { messages, port } = command
      for (const [index, socket] of clients.get(port)!.entries()) {
        socket.write(frameOf(messages[messages.length === 1 ? 0 : index]!))
      }
      return {}
    }
    case "forget":
      heard = { ...nothing, arrivals: [] }
      return {}
    case "ask":
      return heard
  }
}
