/** A real HTTP server that answers by a script, counts who asked for what, and can be waited for. */
import { Effect, type Scope } from "effect"
import { once } from "node:events"
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"

export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Promises a longer body than comes. */
  readonly cut?: boolean
  /** Never answers. */
  readonly silent?: boolean
}

/** What came. `body` is empty for a GET. */
export interface Request {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface ScriptedEsi {
  /** With a path, as the sandbox has one. */
  readonly url: string
  /** Answers to a path, in turn; the last one is repeated. */
  readonly script: (path: string, ...replies: ReadonlyArray<Reply | ((request: Request) => Reply)>) => void
  readonly requests: ReadonlyArray<Request>
  readonly requestsOf: (path: string) => number
  /** Ends when the next request has arrived. */
  readonly arrival: Effect.Effect<void>
}

export const makeScriptedEsi: Effect.Effect<ScriptedEsi, never, Scope.Scope> = Effect.gen(function*() {
  const scripts = new Map<string, Array<Reply | ((request: Request) => Reply)>>()
  const requests: Array<Request> = []
  const server = createServer(async (incoming, response) => {
    const { headers, method = "", url = "" } = incoming
    const request = { method, path: url.replace(/^\/esi/, ""), headers, body: await text(incoming) }
    const { path } = request
    requests.push(request)
    const replies = scripts.get(path) ?? [{ status: 404, body: "{\"error\":\"not scripted\"}" }]
    const reply = replies.length > 1 ? replies.shift()! : replies[0]!
    answer(response, typeof reply === "function" ? reply(request) : reply)
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => once(server.listen(0, "127.0.0.1"), "listening")),
    () =>
      Effect.promise(async () => {
        server.closeAllConnections()
        server.close()
        await once(server, "close")
      })
  )
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/esi`,
    script: (path, ...replies) => {
      scripts.set(path, [...replies])
    },
    requests,
    requestsOf: (path) => requests.filter((request) => request.path === path).length,
    arrival: Effect.callback<void>((resume) => {
      server.once("request", () => resume(Effect.void))
    })
  }
})

const answer = (response: ServerResponse, { status = 200, headers = {}, body = "", cut, silent }: Reply): void => {
  if (silent === true) return
  const length = Buffer.byteLength(body) + (cut === true ? 100 : 0)
  response.writeHead(status, { "content-type": "application/json", "content-length": String(length), ...headers })
  if (cut === true) response.write(body, () => response.destroy())
  else response.end(body)
}
