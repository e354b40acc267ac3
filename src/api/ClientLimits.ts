/**
 * What one client may ask of this replica: so many requests a minute, and so many at a time. Whoever is on this machine, and the
 * operator, may ask without a limit.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Context, Effect, Layer } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import type { EventEmitter } from "node:events"
import type { IncomingMessage } from "node:http"
import { Settings } from "../Settings.ts"
import { AdminToken, bearerIn } from "./AdminToken.ts"
import { clientOf, isForwarded, isLocal } from "./ClientAddress.ts"
import { problem } from "./Problem.ts"
import * as TokenBuckets from "./TokenBuckets.ts"

const window = { seconds: 60, name: "a minute" }
/** Requests, streams of events and sockets that one client may have open. */
export const mostAtOnce = 100

/** Whether a request may go on; `refusal` says why not. The headers are of the IETF's draft "RateLimit header fields for HTTP". */
interface Verdict {
  readonly headers: Readonly<Record<string, string>>
  readonly refusal?: string
}

const unlimited: Verdict = { headers: {} }

export class ClientLimits extends Context.Service<ClientLimits, {
  /** Counts a request; it is under way until its answer, or its socket, closes. */
  readonly admit: (request: IncomingMessage, answer: EventEmitter) => Verdict
}>()("killmaild/api/ClientLimits") {
  static readonly layer = Layer.effect(
    ClientLimits,
    Effect.gen(function*() {
      const { rateLimit, trustedProxies } = yield* Settings
      const token = yield* AdminToken
      const run = Effect.runForkWith(yield* Effect.context())
      const buckets = TokenBuckets.make(rateLimit, window.seconds * 1000)
      const underWay = new Map<string, number>()
      let hasWarned = false

      const begin = (client: string, answer: EventEmitter): boolean => {
        const others = underWay.get(client) ?? 0
        if (others >= mostAtOnce) return false
        underWay.set(client, others + 1)
        answer.once("close", () => {
          const left = underWay.get(client)! - 1
          if (left === 0) underWay.delete(client)
          else underWay.set(client, left)
        })
        return true
      }

      const warnOfProxy = ({ headers, socket }: IncomingMessage) => {
        if (hasWarned || trustedProxies.length > 0 || !isForwarded(headers)) return
        hasWarned = true
        run(Effect.logWarning(
          `A proxy at ${socket.remoteAddress} asks for others, who share one limit: if it is yours, name it in ` +
            "KILLMAILD_TRUSTED_PROXIES."
        ))
      }

      const admit = (request: IncomingMessage, answer: EventEmitter): Verdict => {
        const { headers, socket } = request
        if (rateLimit === 0 || isLocal(socket.remoteAddress, headers)) return unlimited
        if (token.matches(bearerIn(headers.authorization))) return unlimited
        warnOfProxy(request)
        const client = clientOf(request, trustedProxies)
        const { fullIn, isTaken, nextIn, remaining } = buckets.take(client, performance.now())
        const told = {
          "ratelimit-policy": `"client";q=${rateLimit};w=${window.seconds}`,
          "ratelimit": `"client";r=${remaining};t=${fullIn}`
        }
        if (!isTaken) {
          return {
            headers: { ...told, "retry-after": String(nextIn) },
            refusal: `Wants at most ${rateLimit} requests ${window.name} from one client.`
          }
        }
        return begin(client, answer) ? { headers: told } : {
          headers: { ...told, "retry-after": "1" },
          refusal: `Wants at most ${mostAtOnce} requests at a time from one client.`
        }
      }

      return ClientLimits.of({ admit })
    })
  )
}

/** Lets in who is within its limits; tells all how far they are from them. */
export const withClientLimits =
  (limits: ClientLimits["Service"]) => <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const { headers, refusal } = limits.admit(
        NodeHttpServerRequest.toIncomingMessage(request) as IncomingMessage,
        NodeHttpServerRequest.toServerResponse(request)
      )
      return Effect.map(
        refusal === undefined ? app : Effect.succeed(problem(429, refusal)),
        HttpServerResponse.setHeaders(headers)
      )
    })
