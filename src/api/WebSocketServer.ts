/** `/ws`: sockets in, subscribers out. */
import { Context, Effect, Layer, Metric } from "effect"
import { LiveKillmails } from "../broadcast/LiveKillmails.ts"
import * as Subscriber from "../broadcast/Subscriber.ts"
import { Settings } from "../Settings.ts"
import { broadcastMessages, subscribers } from "../telemetry/Metrics.ts"
import * as Sockets from "./Sockets.ts"

const protocol = { protocol: "websocket" }
const messagesSent = Metric.withAttributes(broadcastMessages, protocol)
const subscriptionsOpen = Metric.withAttributes(subscribers, protocol)

export class WebSocketServer extends Context.Service<WebSocketServer, Sockets.Sockets>()(
  "killmaild/api/WebSocketServer"
) {
  static readonly layer = Layer.effect(
    WebSocketServer,
    Effect.gen(function*() {
      const live = yield* LiveKillmails
      const { allowedOrigins } = yield* Settings
      const context = yield* Effect.context()
      const run = Effect.runForkWith(context)
      let subscriptions = 0

      const noteSubscriptions = (change: number) => {
        subscriptions += change
        subscriptionsOpen.updateUnsafe(subscriptions, context)
      }
      noteSubscriptions(0)
      messagesSent.updateUnsafe(0, context)

      const serve = ({ drained, send, sendShared, socket }: Sockets.Connection): Sockets.Conversation => {
        let counted = 0
        const noteSubscriptionsOfThis = (now: number) => {
          noteSubscriptions(now - counted)
          counted = now
        }
        const counting = <Message>(send: (message: Message) => void) => (message: Message) => {
          if (socket.readyState === socket.OPEN) messagesSent.updateUnsafe(1, context)
          send(message)
        }
        const subscriber = Subscriber.make(live, { send: counting(send), sendShared: counting(sendShared), drained })

        const handle = (effect: ReturnType<typeof subscriber.receive>) =>
          run(
            effect.pipe(
              Effect.tapCause((cause) => Effect.logError("A message of /ws could not be answered", cause)),
              Effect.catchCause(() =>
                Effect.sync(() => socket.close(1011, "The database cannot be reached; resume shortly."))
              ),
              Effect.ensuring(Effect.sync(() => noteSubscriptionsOfThis(subscriber.subscriptionCount())))
            )
          )

        // What the client sent meanwhile is answered after the welcome.
        socket.pause()
        handle(Effect.ensuring(subscriber.welcome, Effect.sync(() => socket.resume())))
        return {
          received: (text) => handle(subscriber.receive(text)),
          closed: () => {
            subscriber.close()
            noteSubscriptionsOfThis(0)
          }
        }
      }

      return WebSocketServer.of(Sockets.make({ allowedOrigins, serve }))
    })
  )
}
