/** `/ws`: sockets in, subscribers out. Limits, pings, slow clients and the end of a connection are decided here. */
import { Context, Effect, Layer, Metric } from "effect"
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { type RawData, type WebSocket, WebSocketServer as Sockets } from "ws"
import { LiveKillmails } from "../broadcast/LiveKillmails.ts"
import * as Subscriber from "../broadcast/Subscriber.ts"
import { Settings } from "../Settings.ts"
import { broadcastMessages, subscribers } from "../telemetry/Metrics.ts"
import { refuse } from "./Problem.ts"

/** Bytes of one message from a client; the largest that means something is far smaller. */
const maxPayload = 64 * 1024
/** Bytes that may wait for a slow client before it is cut off with 1013; it can resume. */
const maxBuffered = 8 * 1024 * 1024
/** Above this many waiting bytes a replay waits for its reader. */
const replayBuffered = 512 * 1024
/** Milliseconds between pings; a client that missed two is gone. */
const pingMillis = 30_000
/** Messages a minute from one client. */
const messagesPerMinute = 120
const maxConnections = 5000
/** Milliseconds that a client which is cut off gets to read why. */
const goodbyeMillis = 10_000
/** Milliseconds that all clients get to answer the goodbye when the daemon stops. */
const closingMillis = 1000

const protocol = { protocol: "websocket" }
const messagesSent = Metric.withAttributes(broadcastMessages, protocol)
const subscriptionsOpen = Metric.withAttributes(subscribers, protocol)

export class WebSocketServer extends Context.Service<WebSocketServer, {
  /** Takes over a connection that asked for `/ws`. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Tells all clients to come back later; ends when they have gone. */
  readonly close: Effect.Effect<void>
}>()("killmaild/api/WebSocketServer") {
  static readonly layer = Layer.effect(
    WebSocketServer,
    Effect.gen(function*() {
      const live = yield* LiveKillmails
      const settings = yield* Settings
      const context = yield* Effect.context()
      const run = Effect.runForkWith(context)
      const sockets = new Sockets({ noServer: true, maxPayload, perMessageDeflate: false })
      let subscriptions = 0

      const noteSubscriptions = (change: number) => {
        subscriptions += change
        subscriptionsOpen.updateUnsafe(subscriptions, context)
      }
      noteSubscriptions(0)
      messagesSent.updateUnsafe(0, context)

      const serve = (socket: WebSocket) => {
        let missedPongs = 0
        let received = 0
        let counted = 0

        const send = (message: string) => {
          if (socket.readyState !== socket.OPEN) return
          if (socket.bufferedAmount > maxBuffered) {
            socket.close(1013, "Too slow: resume after the last sequence you have.")
            // The close frame waits behind the unread megabytes, and perhaps for ever.
            setTimeout(() => socket.terminate(), goodbyeMillis).unref()
            return
          }
          messagesSent.updateUnsafe(1, context)
          socket.send(message)
        }
        const drained = Effect.suspend(() => socket.bufferedAmount > replayBuffered ? waitForRoom : Effect.void)
        const waitForRoom: Effect.Effect<void> = Effect.suspend(() =>
          socket.readyState === socket.OPEN && socket.bufferedAmount > replayBuffered
            ? Effect.andThen(Effect.sleep("20 millis"), waitForRoom)
            : Effect.void
        )
        const subscriber = Subscriber.make(live, send, drained)

        const handle = (effect: ReturnType<typeof subscriber.receive>) =>
          run(
            effect.pipe(
              Effect.tapCause((cause) => Effect.logError("A message of /ws could not be answered", cause)),
              Effect.catchCause(() =>
                Effect.sync(() => socket.close(1011, "The database cannot be reached; resume shortly."))
              ),
              Effect.ensuring(Effect.sync(() => {
                const now = subscriber.subscriptionCount()
                noteSubscriptions(now - counted)
                counted = now
              }))
            )
          )

        const pings = setInterval(() => {
          if (missedPongs++ >= 2) return socket.terminate()
          socket.ping()
          received = Math.max(0, received - messagesPerMinute * pingMillis / 60_000)
        }, pingMillis)
        socket.on("pong", () => {
          missedPongs = 0
        })
        socket.on("message", (data: RawData, isBinary: boolean) => {
          if (++received > messagesPerMinute) {
            return socket.close(1008, `Wants at most ${messagesPerMinute} messages a minute.`)
          }
          handle(subscriber.receive(isBinary ? "" : data.toString()))
        })
        // ws reports a broken frame or an oversized message here and closes by itself.
        socket.on("error", () => {})
        socket.on("close", () => {
          clearInterval(pings)
          subscriber.close()
          noteSubscriptions(-counted)
          counted = 0
        })
        // What the client sent meanwhile is answered after the welcome.
        socket.pause()
        handle(Effect.ensuring(subscriber.welcome, Effect.sync(() => socket.resume())))
      }

      const close = Effect.callback<void>((resume) => {
        for (const socket of sockets.clients) socket.close(1012, "The daemon restarts: resume shortly.")
        const deadline = setTimeout(() => {
          for (const socket of sockets.clients) socket.terminate()
        }, closingMillis)
        sockets.close(() => {
          clearTimeout(deadline)
          resume(Effect.void)
        })
      })

      return WebSocketServer.of({
        upgrade: (request, socket, head) => {
          if (!originAllowed(request, settings.allowedOrigins)) {
            return refuse(socket, 403, "This Origin may not connect; KILLMAILD_ALLOWED_ORIGINS lists those that may.")
          }
          if (sockets.clients.size >= maxConnections) {
            return refuse(socket, 503, `There are ${maxConnections} connections already.`)
          }
          sockets.handleUpgrade(request, socket, head, serve)
        },
        close
      })
    })
  )
}

/** Programs send no Origin. A browser may connect from the very host it asks, or from where the operator allows. */
const originAllowed = ({ headers }: IncomingMessage, allowed: ReadonlyArray<string>): boolean => {
  const { host, origin } = headers
  if (origin === undefined || allowed.includes("*") || allowed.includes(origin)) return true
  return host !== undefined && URL.parse(origin)?.host === host.toLowerCase()
}
