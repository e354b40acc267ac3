/** Sends a request as it is, however broken, and reads the answer. */
import { once } from "node:events"
import { Agent, type IncomingMessage, request } from "node:http"
import { connect } from "node:net"
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib"
import type { Answer, Attempt } from "./Attempt.ts"

/** Milliseconds for an answer; the slowest may wait for the database. */
const patience = 30_000
/** Milliseconds after which bytes that are no whole request will get no answer. */
const wirePatience = 250

export interface Sender {
  /** Undefined where what was sent is not worth an answer. */
  readonly send: (attempt: Attempt) => Promise<Answer | undefined>
  readonly close: () => void
}

export const senderTo = (url: string): Sender => {
  const { hostname, port } = new URL(url)
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })

  const send = async ({ body, headers, method, target }: Attempt): Promise<Answer> => {
    const framing = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }
    const asked = request({
      host: hostname,
      port,
      agent,
      method,
      path: target,
      headers: { ...headers, ...framing },
      timeout: patience
    })
    // After the head, too: who cannot read a request of HEAD refuses it with a body.
    asked.on("error", () => {})
    asked.on("timeout", () => asked.destroy(new Error(`no answer within ${patience} ms`)))
    asked.end(body)
    const [response] = await once(asked, "response") as [IncomingMessage]
    return {
      status: response.statusCode!,
      headers: response.headers as Readonly<Record<string, string>>,
      body: await bodyOf(response)
    }
  }

  const sendWire = async (wire: Buffer | string): Promise<Answer | undefined> => {
    const socket = connect(Number(port), hostname)
    const chunks: Array<Buffer> = []
    socket.on("data", (chunk: Buffer) => chunks.push(chunk))
    socket.on("error", () => {})
    socket.setTimeout(wirePatience, () => socket.destroy())
    socket.write(wire)
    await once(socket, "close")
    return firstOf(Buffer.concat(chunks))
  }

  return {
    send: (attempt) => attempt.wire === undefined ? send(attempt) : sendWire(attempt.wire),
    close: () => agent.destroy()
  }
}

/** Of a stream of events only what comes at once: it never ends by itself. */
const bodyOf = async (response: IncomingMessage): Promise<Buffer> => {
  const isEndless = String(response.headers["content-type"]).startsWith("text/event-stream")
  const chunks: Array<Buffer> = []
  for await (const chunk of response) {
    chunks.push(chunk as Buffer)
    if (isEndless) break
  }
  const packed = Buffer.concat(chunks)
  const unpack = unpackers[response.headers["content-encoding"] ?? ""]
  return unpack === undefined || packed.length === 0 ? packed : unpack(packed)
}

const unpackers: Readonly<Record<string, (packed: Buffer) => Buffer>> = {
  gzip: gunzipSync,
  br: brotliDecompressSync,
  deflate: inflateSync,
  zstd: zstdDecompressSync
}

/** The first answer among these bytes, without undoing its framing. */
const firstOf = (bytes: Buffer): Answer | undefined => {
  const text = bytes.toString("latin1")
  const match = /^HTTP\/1\.1 (\d{3})[^\r]*\r\n([^]*?)\r\n\r\n/.exec(text)
  if (match === null) return undefined
  const headers = match[2]!.split("\r\n").map((line) => {
    const [name = "", ...value] = line.split(":")
    return [name.toLowerCase(), value.join(":").trim()]
  })
  return { status: Number(match[1]), headers: Object.fromEntries(headers), body: bytes.subarray(match[0].length) }
}
