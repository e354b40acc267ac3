/**
 * What a broadcaster is measured against: a process with nothing but `ws`, which sends a frame that it is given to clients in
 * a loop. Its parent says how many of them are to get each copy.
 */
import { randomInt } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { WebSocketServer } from "ws"

export interface Send {
  /** The whole frame, in Base64. */
  readonly frame: string
  /** For each copy the number of clients that get it, from a random one on. */
  readonly audiences: ReadonlyArray<number>
}

const wires: Array<Duplex> = []
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
const server = createServer()
server.on("upgrade", (request: IncomingMessage, wire: Duplex, head: Buffer) => {
  sockets.handleUpgrade(request, wire, head, () => wires.push(wire))
})
server.listen(0, "127.0.0.1", () => process.send!({ port: (server.address() as AddressInfo).port }))

process.on("message", ({ audiences, frame }: Send) => {
  const bytes = Buffer.from(frame, "base64")
  const sendNext = (index: number) => {
    const count = audiences[index]
    if (count === undefined) return process.send!({})
    const first = randomInt(wires.length)
    for (let k = 0; k < count; k++) wires[(first + k) % wires.length]!.write(bytes)
    setImmediate(sendNext, index + 1)
  }
  sendNext(0)
})
