/**
 * `/graphql`: queries over HTTP, subscriptions over graphql-transport-ws. What answers them is loaded with the first question,
 * as it takes 20 MB that an idle daemon does not need.
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
import { AdminToken } from "../AdminToken.ts"
import * as Sockets from "../Sockets.ts"
import type { Backend, Stores } from "./Answering.ts"
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

      const queries = yield* Effect.cached(
        Effect.map(Effect.promise(() => import("./HttpQueries.ts")), ({ queryHandler }) => queryHandler(backend))
      )
      const subscriptions = yield* Effect.cached(
        Effect.map(
          Effect.promise(() => import("./SocketSubscriptions.ts")),
          ({ subscriptionServer }) => subscriptionServer(backend)
        )
      )

      const answer = Effect.gen(function*() {
        const { headers, method, text, url } = yield* HttpServerRequest.HttpServerRequest
        const body = method === "POST" ? yield* text : null
        const handle = yield* queries
        const isOperator = token.matches(/^Bearer (.+)$/i.exec(headers["authorization"] ?? "")?.[1] ?? "")
        const [answered, init] = yield* Effect.promise((signal) =>
          handle({ method, url, headers, body, raw: null, context: { signal, isOperator } })
        )
        return HttpServerResponse.text(answered ?? "", { status: init.status, headers: init.headers ?? {} })
      })

      const sockets = Sockets.make({
        allowedOrigins,
        chooseProtocol: (offered) => offered.has(subprotocol) && subprotocol,
        // Whoever is here has waited for it.
        serve: (connection) => Effect.runSync(subscriptions)(connection)
      })

      return Graphql.of({
        answer,
        sockets: {
          upgrade: (...connection) => backend.report(Effect.map(subscriptions, () => sockets.upgrade(...connection))),
          close: sockets.close
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
