/** Subscriptions over graphql-transport-ws. */
import { Effect, Metric } from "effect"
import { GraphQLError, subscribe } from "graphql"
import { makeServer } from "graphql-ws"
import type { Connection, Conversation } from "../Sockets.ts"
import { unavailable } from "../Unavailable.ts"
import type { Answering, Backend } from "./Answering.ts"
import { loadersOf } from "./Loaders.ts"
import { prepare } from "./Operation.ts"
import { messagesSent } from "./SubscriptionMetrics.ts"
import { toldBy } from "./ToldErrors.ts"

const maxSubscriptions = 100
/** Bytes that a frame of WebSocket's close holds for the reason. */
const longestReason = 123

export const subscriptionServer = ({ report, run, stores }: Backend) => {
  const told = toldBy(report)
  // For all subscribers and ever: what a publication makes them ask at once is asked in one statement.
  const loaders = loadersOf(stores, (effect) => run(unavailable(effect)), { cache: false })
  const answering = (tooSlow: () => void): Answering => ({
    stores,
    loaders,
    run,
    isOperator: false,
    wantsItems: true,
    tooSlow
  })
  /** Where the connection begins. */
  const welcome = () => run(Effect.map(stores.live.epoch, (epoch) => ({ epoch, sequence: stores.live.position() })))

  const server = makeServer<Record<string, unknown>, Connection>({
    onConnect: welcome,
    onSubscribe: ({ extra: { cutOff }, subscriptions }, _, payload) => {
      if (Object.keys(subscriptions).length > maxSubscriptions) {
        return [new GraphQLError(`A connection has at most ${maxSubscriptions} subscriptions.`)]
      }
      return prepare("subscription", payload, answering(cutOff))
    },
    subscribe,
    onNext: (_, __, ___, ____, { data = null, errors = [] }) => {
      report(Metric.update(messagesSent, 1))
      return errors.length === 0 ? { data } : { data, errors: errors.map((error) => told(error).toJSON()) }
    },
    onError: (_, __, ___, errors) => errors.map((error) => told(error).toJSON())
  })

  return (connection: Connection): Conversation => {
    const { drained, send, socket } = connection
    let receive: ((text: string) => Promise<void>) | undefined
    const close = (code?: number, reason = "") =>
      socket.close(code, Buffer.from(reason).subarray(0, longestReason).toString())
    const closed = server.opened({
      protocol: socket.protocol,
      // What is to follow waits until the client has read.
      send: (message) => {
        send(message)
        return run(drained)
      },
      close,
      onMessage: (callback) => {
        receive = callback
      }
    }, connection)
    return {
      received: (text) => {
        receive?.(text).catch((error: unknown) => {
          report(Effect.logError("A message of /graphql could not be answered", error))
          close(1011, "The database cannot be reached; resume shortly.")
        })
      },
      closed: () => report(Effect.promise(() => closed()))
    }
  }
}
