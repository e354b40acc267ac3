/** The one HTTP port: finds the upstream, lets the judge see every request, and answers, with accidents or without. */
import { once } from "node:events"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { text } from "node:stream/consumers"
import { gzipSync } from "node:zlib"
import { WebSocketServer } from "ws"
import type { Reply } from "./Faults.ts"
import type { Judge } from "./Judge.ts"
import type { Answer, Ask, Upstream, UpstreamName } from "./Upstream.ts"

/** One line of the log. `status` is 0 until it is answered, and stays so when the connection was reset. */
export interface Request {
  readonly at: number
  readonly upstream: UpstreamName
  readonly method: string
  /** With the prefix and the query: `/esi/killmails/1/ab…/`. */
  readonly path: string
  readonly userAgent: string
  readonly status: number
  /** When the last byte of the answer went out, in milliseconds since 1970 and their fractions; 0 until then. */
  readonly answeredAt: number
  /** Which fault made that the answer was not, or not wholly, the true one. */
  readonly fault: string | undefined
}

export interface Running {
  readonly url: string
  readonly requests: () => ReadonlyArray<Request>
  readonly close: () => Promise<void>
}

/** The log keeps at least so many requests, and at most twice as many. */
const mostRequests = 10_000

/** Characters of a body that is worth packing. */
const leastPacked = 1024

/** Between two pieces of a body that drips. */
const pieceMillis = 10

export const listen = async (
  port: number,
  upstreams: ReadonlyArray<Upstream>,
  judge: Judge,
  faultFor: (ask: Ask) => Reply | undefined,
  /** What people may look at, by path. */
  pages: Readonly<Record<string, () => unknown>>
): Promise<Running> => {
  const byName = new Map(upstreams.map((upstream) => [upstream.name as string, upstream]))
  const sockets = new WebSocketServer({ noServer: true })
  let log: Array<{ -readonly [Key in keyof Request]: Request[Key] }> = []

  const enter = (ask: Ask, path: string) => {
    const entry = {
      at: ask.at,
      upstream: ask.upstream,
      method: ask.method,
      path,
      userAgent: ask.client,
      status: 0,
      answeredAt: 0,
      fault: undefined as string | undefined
    }
    log.push(entry)
    if (log.length >= 2 * mostRequests) log = log.slice(mostRequests)
    return entry
  }

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "http://sandbox")
    const [, prefix = "", path = "/"] = /^\/([^/]*)(\/.*)?$/.exec(url.pathname) ?? []
    const upstream = byName.get(prefix)
    if (upstream === undefined) {
      const page = pages[url.pathname]
      return await write(response, page === undefined ? nowhere : shown(page()))
    }

    const body = request.method === "POST" ? await text(request) : ""
    const ask = askOf(request, response, upstream.name, path, url.searchParams, body)
    const subjects = upstream.subjectsOf?.(ask)
    const entry = enter(ask, url.pathname + url.search)
    judge.hear(ask, [...new Set([upstream.scopeOf(path), upstream.name])], subjects)

    const fault = faultFor(ask)
    entry.fault = fault === undefined ? undefined : fault.name ?? "scripted"
    if (fault?.delayMillis !== undefined) await new Promise((resolve) => setTimeout(resolve, fault.delayMillis))
    if (fault?.reset === true) return void request.socket.resetAndDestroy()
    const answer = await answerWith(fault, upstream, { ...ask, stale: fault?.stale === true })
    if (response.destroyed) return
    entry.status = answer.status
    response.once("finish", () => {
      entry.answeredAt = performance.timeOrigin + performance.now()
    })
    if (answer.pause !== undefined) judge.pause(answer.pause.scope, answer.pause.millis, Date.now())
    // A client that did not get the whole true answer may ask again at once.
    const { quietMillis } = answer
    if (fault === undefined && quietMillis !== undefined) {
      response.once("finish", () => judge.remember(ask, quietMillis, Date.now(), subjects))
    }
    await write(response, packed(answer, ask), fault)
  }

  /** A WebSocket that meets a fault is refused with its status, or reset. */
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://sandbox")
    const [, prefix = "", path = "/"] = /^\/([^/]*)(\/.*)?$/.exec(pathname) ?? []
    const upstream = byName.get(prefix)
    if (upstream?.accept === undefined) return void socket.destroy()
    const ask = askOf(request, socket, upstream.name, path, searchParams, "")
    const entry = enter(ask, pathname)
    judge.hear(ask, [upstream.name])
    const fault = faultFor(ask)
    entry.status = fault?.status ?? (fault === undefined ? 101 : 0)
    entry.fault = fault === undefined ? undefined : fault.name ?? "scripted"
    if (fault?.status !== undefined) {
      return void socket.end(`HTTP/1.1 ${fault.status} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
    }
    if (fault !== undefined) return void socket.destroy()
    sockets.handleUpgrade(request, socket, head, (client) => upstream.accept!(ask, client))
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((cause: unknown) => {
      process.emitWarning(`the sandbox failed to answer ${request.url}: ${String(cause)}`)
      response.destroy()
    })
  })
  server.on("upgrade", (request, socket, head) => upgrade(request, socket, head))
  // Longer than any client keeps a connection, so that none is closed under a request.
  server.keepAliveTimeout = 600_000
  server.listen(port, "127.0.0.1")
  await once(server, "listening").catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === "EADDRINUSE" ? new Error(`port ${port} is taken`, { cause }) : cause
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => log.map((entry) => ({ ...entry })),
    close: () => {
      for (const client of sockets.clients) client.terminate()
      return close(server)
    }
  }
}

const askOf = (
  request: IncomingMessage,
  response: ServerResponse | Duplex,
  upstream: UpstreamName,
  path: string,
  query: URLSearchParams,
  body: string
): Ask => {
  const gone = new AbortController()
  response.once("close", () => gone.abort())
  return {
    upstream,
    method: request.method ?? "GET",
    path,
    query,
    headers: request.headers,
    body,
    client: request.headers["user-agent"] ?? "",
    at: Date.now(),
    stale: false,
    gone: gone.signal
  }
}

const answerWith = async (fault: Reply | undefined, upstream: Upstream, ask: Ask): Promise<Answer> => {
  if (fault?.status !== undefined) {
    const { body = "", headers = {}, status } = fault
    const pause = pauseOf(status, headers, upstream, ask.path)
    return { status, headers, body: cut(body, fault.truncate), ...(pause === undefined ? {} : { pause }) }
  }
  const allow = upstream.takesPost?.(ask.path) === true ? "POST" : "GET"
  if (ask.method !== allow) return { status: 405, headers: { allow }, body: "" }
  const answer = await upstream.answer(ask)
  if (fault === undefined || answer.status !== 200) return answer
  const { bytes, ...rest } = answer
  const spoilt = bytes !== undefined && fault.body === undefined
    ? { bytes: cut(bytes, fault.truncate) }
    : { body: cut((fault.alter ?? same)(fault.body ?? answer.body ?? ""), fault.truncate) }
  return { ...rest, ...spoilt, headers: { ...answer.headers, ...fault.headers } }
}

/** A refusal that says how long to wait is to be obeyed, an accident's too. */
const pauseOf = (status: number, headers: Readonly<Record<string, string>>, upstream: Upstream, path: string) => {
  const told = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const seconds = Number(status === 420 ? told["x-esi-error-limit-reset"] ?? told["retry-after"] : told["retry-after"])
  if (![403, 420, 429].includes(status) || !(seconds > 0)) return undefined
  return { scope: status === 420 ? upstream.name : upstream.scopeOf(path), millis: seconds * 1000 }
}

const cut = <A extends string | Uint8Array>(body: A, truncate: boolean | number | undefined): A =>
  truncate === undefined || truncate === false
    ? body
    : body.slice(0, truncate === true ? Math.floor(body.length / 2) : truncate) as A

const same = (body: string): string => body

const write = async (response: ServerResponse, answer: Answer, fault: Reply = {}) => {
  const { body = "", headers, status } = answer
  // 304 has no body and no length.
  if (status === 304) return void response.writeHead(status, headers).end()
  const bytes = Buffer.from(answer.bytes ?? body)
  response.writeHead(status, { ...headers, "content-length": bytes.length })
  if (fault.resetWithin === true) {
    response.write(bytes.subarray(0, bytes.length >> 1))
    await new Promise((resolve) => setTimeout(resolve, pieceMillis))
    return void response.socket?.resetAndDestroy()
  }
  const pieces = Math.ceil((fault.dripMillis ?? 0) / pieceMillis)
  for (let piece = 0; piece < pieces && !response.destroyed; piece++) {
    response.write(bytes.subarray(piece * bytes.length / pieces, (piece + 1) * bytes.length / pieces))
    await new Promise((resolve) => setTimeout(resolve, pieceMillis))
  }
  response.end(pieces === 0 ? bytes : undefined)
}

/** As Cloudflare does, before most of these services, for whoever can read it. */
const packed = (answer: Answer, { headers }: Ask): Answer => {
  const { body = "", bytes, ...rest } = answer
  const isWanted = /\bgzip\b/.test(headers["accept-encoding"] ?? "")
  return !isWanted || bytes !== undefined || body.length < leastPacked ? answer : {
    ...rest,
    headers: { ...answer.headers, "content-encoding": "gzip" },
    bytes: gzipSync(body, { level: 1 })
  }
}

const shown = (page: unknown): Answer => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(page, undefined, 2)
})

const nowhere: Answer = {
  status: 404,
  headers: { "content-type": "text/plain" },
  body:
    "This is a sandbox of New Eden: /esi /r2z2 /redisq /evekill /evekill-socket /zkillboard /everef /static-data /wanderer /sso /fcm /discord /slack /receiver, and /sandbox/violations and /sandbox/inboxes for people.\n"
}

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
