/**
 * `/graphql`: queries over HTTP, subscriptions over graphql-transport-ws. What answers them is loaded with the first question:
 * it takes 4 MB and some 60 ms, which a daemon that nobody asks need not spend.
 */
import { Context, Effect, Layer, Metric } from "effect"
import { HttpRouter, type HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { LiveKillmails } from "../../broadcast/LiveKillmails.ts"
import { JobPools } from "../../jobs/JobPools.ts"
import { JobQueue } from "../../jobs/JobQueue.ts"
import { Settings } from "../../Settings.ts"
import { EntityReader } from "../../store/EntityReader.ts"
import { KillmailReader } from "../../store/KillmailReader.ts"
import { KillmailSearch } from "../../store/KillmailSearch.ts"
import { Names } from "../../store/Names.ts"
import { StatisticsReader } from "../../store/StatisticsReader.ts"
import { AdminToken, bearerIn } from "../AdminToken.ts"
import * as Sockets from "../Sockets.ts"
import type { Backend, Stores } from "./Answering.ts"
import type * as HttpQueries from "./HttpQueries.ts"
import { messagesSent, subscriptionsOpen } from "./SubscriptionMetrics.ts"

export class Graphql extends Context.Service<Graphql, {
  /** Answers a request over HTTP. */
  readonly answer: Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    HttpServerError.HttpServerError,
    HttpServerRequest.HttpServerRequest
  >
  /** Those of the subscriptions. */
  readonly sockets: Sockets.Sockets
}>()("killmaild/api/Graphql") {
  static readonly layer = Layer.effect(
    Graphql,
    Effect.gen(function*() {
      const token = yield* AdminToken
      const { allowedOrigins } = yield* Settings
      const stores: Stores = {
        entities: yield* EntityReader,
        killmails: yield* KillmailReader,
        live: yield* LiveKillmails,
        names: yield* Names,
        pools: yield* JobPools,
        queue: yield* JobQueue,
        search: yield* KillmailSearch,
        statistics: yield* StatisticsReader
      }
      const context = yield* Effect.context<never>()
      const backend: Backend = {
        stores,
        run: Effect.runPromiseWith(context),
        report: Effect.runForkWith(context)
      }
      yield* Metric.update(subscriptionsOpen, 0)
      yield* Metric.update(messagesSent, 0)

      let handler: ReturnType<typeof HttpQueries.queryHandler> | undefined
      const queries = async () => {
        const { queryHandler } = await import("./HttpQueries.ts")
        return handler ??= queryHandler(backend)
      }
      let opened: Sockets.Sockets | undefined
      const sockets = async () => {
        const { subscriptionServer } = await import("./SocketSubscriptions.ts")
        return opened ??= Sockets.make({
          allowedOrigins,
          chooseProtocol: (offered) => offered.has(subprotocol) && subprotocol,
          serve: subscriptionServer(backend)
        })
      }

      const answer = Effect.gen(function*() {
        const { headers, method, text, url } = yield* HttpServerRequest.HttpServerRequest
        const body = method === "POST" ? yield* text : null
        const handle = yield* Effect.promise(queries)
        const isOperator = token.matches(bearerIn(headers["authorization"]))
        // What it reads belongs to the request's trace.
        const run = Effect.runPromiseWith(yield* Effect.context<never>())
        const [answered, init] = yield* Effect.promise((signal) =>
          handle({ method, url, headers, body, raw: null, context: { isOperator, run, signal } })
        )
        return HttpServerResponse.text(answered ?? "", { status: init.status, headers: init.headers ?? {} })
      })

      return Graphql.of({
        answer,
        sockets: {
          upgrade: (...connection) =>
            backend.report(Effect.map(Effect.promise(sockets), ({ upgrade }) => upgrade(...connection))),
          close: Effect.suspend(() => opened?.close ?? Effect.void)
        }
      })
    })
  )
}

const subprotocol = "graphql-transport-ws"

export const layer = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const { answer } = yield* Graphql
  yield* router.add("GET", "/graphql", answer)
  yield* router.add("POST", "/graphql", answer)
}))
