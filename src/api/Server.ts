/** One port: the HTTP interface, health, metrics, and WebSockets. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { ByteSize, Context, Effect, Exit, Layer, Option, Schema, Scope } from "effect"
import { HttpIncomingMessage, HttpMiddleware, HttpRouter } from "effect/http"
import { HttpApiScalar } from "effect/http-api"
import { createServer, type Server as NodeServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Settings } from "../Settings.ts"
import * as AccessLog from "./AccessLog.ts"
import { Api } from "./Api.ts"
import { withCaching } from "./Caching.ts"
import { ClientLimits, withClientLimits } from "./ClientLimits.ts"
import { withCors } from "./Cors.ts"
import { drainOf } from "./Drain.ts"
import { Graphql, layer as graphqlRoutes } from "./graphql/Graphql.ts"
import * as Handlers from "./Handlers.ts"
import * as Health from "./Health.ts"
import { refuseMalformed } from "./Malformed.ts"
import * as MetricsPage from "./MetricsPage.ts"
import { maxBodyBytes, problem, refuse, withDeadline, withProblems } from "./Problem.ts"
import * as R2z2 from "./R2z2.ts"
import * as Redisq from "./Redisq.ts"
import { withSecurityHeaders } from "./SecurityHeaders.ts"
import { WebSocketServer } from "./WebSocketServer.ts"

/** The address cannot be listened on. Stops the start. */
export class CannotListen extends Schema.TaggedError<CannotListen>()("CannotListen", { message: Schema.String }) {}

const routes = Layer.mergeAll(
  Handlers.layer,
  // All of the page is in the package; only its fonts would come from elsewhere.
  HttpApiScalar.layer(Api, { path: "/docs", scalar: { withDefaultFonts: false } }),
  Health.layer,
  MetricsPage.layer,
  R2z2.layer,
  Redisq.layer,
  graphqlRoutes,
  HttpRouter.add("GET", "/ws", problem(426, "Wants a WebSocket."))
)

/** In the client's order of preference; what is a stream of events is left as it is. */
const compressed = HttpMiddleware.compression({
  compressible: (contentType) => /^(text\/|application\/([\w.+-]+\+)?(x-nd)?json)/.test(contentType)
})

/** A path is written in one way: what is not traced goes by it. */
const spelling = { caseSensitive: true, ignoreDuplicateSlashes: false }

/** What machines ask every few seconds makes no traces; nor does a sign-in, whose address has codes in it. */
const isUntraced = ({ url }: { readonly url: string }): boolean => /^\/(health\/|metrics|api\/v1\/auth\/)/.test(url)

/** Milliseconds that a client gets to send its headers, all of a request, and between looks at who has had its time. */
const patience = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 2000 }
/** Milliseconds in which nothing is sent or read; streams of events send a ping more often. */
const idleMillis = 60_000

/** Where the daemon can be reached. */
export class Server extends Context.Service<Server, { readonly url: string }>()("killmaild/api/Server") {
  static readonly layer = Layer.effect(
    Server,
    Effect.gen(function*() {
      const { allowedOrigins, host, port, publicUrl } = yield* Settings
      const limits = yield* ClientLimits
      const webSockets = yield* WebSocketServer
      const { sockets: graphqlSockets } = yield* Graphql
      const readiness = yield* Health.Readiness
      const app = yield* HttpRouter.toHttpEffect(routes).pipe(Effect.provideService(HttpRouter.RouterConfig, spelling))
      const guarded = withProblems(withDeadline(app)).pipe(
        withClientLimits(limits),
        withCaching,
        withSecurityHeaders(Option.exists(publicUrl, ({ protocol }) => protocol === "https:")),
        withCors(allowedOrigins),
        compressed
      )
      // Of the requests alone: what of them is still under way when it closes, after the server's end, is cut off.
      const requests = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
      const handler = yield* NodeHttpServer.makeHandler(guarded, { scope: requests })
        .pipe(
          Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxBodyBytes)),
          Effect.provideService(HttpMiddleware.TracerDisabledWhen, isUntraced)
        )

      const server = createServer(patience)
      // Of a client that reads nothing of what it asked for.
      server.timeout = idleMillis
      const drain = drainOf(server)
      refuseMalformed(server)
      server.on("request", yield* AccessLog.observer)
      server.on("request", handler)
      server.on("upgrade", (request, socket, head) => {
        socket.on("error", () => socket.destroy())
        const path = URL.parse(request.url ?? "/", "http://localhost")?.pathname
        const { headers, refusal } = limits.admit(request, socket)
        if (refusal !== undefined) refuse(socket, 429, refusal, headers)
        else if (path === "/ws") webSockets.upgrade(request, socket, head)
        else if (path === "/graphql") graphqlSockets.upgrade(request, socket, head)
        else refuse(socket, 404)
      })
      // Together: the server ends only when all of its connections have, and those of WebSockets are among them.
      yield* Effect.acquireRelease(
        listen(server, host, port),
        () =>
          Effect.andThen(
            readiness.drain,
            Effect.all([drain, webSockets.close, graphqlSockets.close], { concurrency: "unbounded" })
          )
      )
      const address = server.address() as AddressInfo
      const name = address.family === "IPv6" ? `[${address.address}]` : address.address
      const url = `http://${name}:${address.port}`
      yield* Effect.logInfo(`killmaild is up: ${url}/docs, ${url.replace("http", "ws")}/ws, ${url}/metrics`)
      return Server.of({ url })
    })
  ).pipe(Layer.provide(NodeHttpServer.layerHttpServices))
}

const listen = (server: NodeServer, host: string, port: number) =>
  Effect.callback<void, CannotListen>((resume) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "EADDRINUSE"
        ? `port ${port} of ${host} is taken, wants a free one (0 takes any)`
        : `cannot listen on ${host}:${port} (${error.message})`
      resume(Effect.fail(new CannotListen({ message: `KILLMAILD_PORT: ${why}.` })))
    })
    server.listen(port, host, () => resume(Effect.void))
  })
