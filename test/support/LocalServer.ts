/** Small HTTP servers of a test's own, closed with their scope. */
import { Effect, type Scope } from "effect"
import { createServer, type IncomingHttpHeaders, request, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"

const start = (listener: RequestListener): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer(listener)
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  ).pipe(Effect.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`))

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: number | string; readonly doubleValue?: number }
}

/** One span as OTLP's JSON has it. */
export interface OtlpSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly attributes: ReadonlyArray<Attribute>
  readonly links?: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>
}

interface OtlpTraces {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: ReadonlyArray<Attribute> }
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<OtlpSpan> }>
  }>
}

/** Takes traces as an OTLP/HTTP collector does. */
export const otlpReceiver = Effect.gen(function*() {
  const bodies: Array<string> = []
  const url = yield* start((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      if (request.url !== "/v1/traces") return void response.writeHead(404).end()
      bodies.push(Buffer.concat(chunks).toString("utf8"))
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
  })
  const resources = () => bodies.flatMap((body) => (JSON.parse(body) as OtlpTraces).resourceSpans)
  return {
    url,
    bodies,
    resources: () => resources().flatMap(({ resource }) => resource.attributes),
    spans: () => resources().flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
  }
})

export const attribute = (span: OtlpSpan, key: string): string | number | undefined => {
  const value = span.attributes.find((candidate) => candidate.key === key)?.value
  return value?.stringValue ?? value?.intValue ?? value?.doubleValue
}

/** Passes requests on to a server and keeps their headers. */
export const headerRecorder = Effect.fnUntraced(function*(target: string) {
  const headers: Array<IncomingHttpHeaders> = []
  const url = yield* start((incoming, outgoing) => {
    headers.push(incoming.headers)
    const onward = request(target + incoming.url, { method: incoming.method!, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on("error", () => outgoing.destroy())
    incoming.pipe(onward)
  })
  return { url, headers }
})
