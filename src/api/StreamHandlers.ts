/** What answers `/api/v1/stream`: a subscription of one, told in server-sent events. */
import { Effect, Metric, Queue, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { type Announcement, LiveKillmails } from "../broadcast/LiveKillmails.ts"
import * as Subscriptions from "../broadcast/Subscriptions.ts"
import { broadcastMessages, subscribers } from "../telemetry/Metrics.ts"
import { Api } from "./Api.ts"
import { Conflict, Unavailable } from "./ApiErrors.ts"
import { filterIn } from "./FilterQuery.ts"
import { Readiness } from "./Health.ts"
import { unavailable } from "./Unavailable.ts"

/** Events that may wait for a slow client before it is cut off; it resumes by its Last-Event-ID. */
const mostWaiting = 1000
/** Above so many waiting events a replay waits for its reader. */
const replayWaiting = 100
/** Keeps proxies from closing a connection on which nothing happens. */
const pingInterval = "15 seconds"
const mostStreams = 2000

const protocol = { protocol: "sse" }
const messagesSent = Metric.withAttributes(broadcastMessages, protocol)
const subscriptionsOpen = Metric.withAttributes(subscribers, protocol)

const encoder = new TextEncoder()

/** Encoded once, for all who hear it. */
const events = new WeakMap<Announcement, Uint8Array>()
const eventOf = (announcement: Announcement): Uint8Array => {
  const known = events.get(announcement)
  if (known !== undefined) return known
  const { json, sequence, type } = announcement
  // What is valued anew goes without its old id: a client that resumed from there would hear all again.
  const id = type === "killmail" ? `id: ${sequence}\n` : ""
  const event = encoder.encode(`event: ${type}\n${id}data: ${json}\n\n`)
  events.set(announcement, event)
  return event
}

/** Where it begins. Its id is kept by a client that then hears nothing for long, so that it misses nothing either. */
const welcome = (epoch: string, sequence: number) =>
  encoder.encode(`retry: 2000\nevent: welcome\nid: ${sequence}\ndata: ${JSON.stringify({ epoch, sequence })}\n\n`)
const ping = encoder.encode(": ping\n\n")

const eventsFor = (live: LiveKillmails["Service"], epoch: string, wanted: Subscriptions.Wanted) =>
  Stream.callback<Uint8Array>(
    Effect.fnUntraced(function*(queue) {
      const send = (event: Uint8Array) => {
        if (!Queue.offerUnsafe(queue, event)) Queue.endUnsafe(queue)
      }
      const room: Effect.Effect<void> = Effect.suspend(() =>
        Queue.sizeUnsafe(queue) < replayWaiting ? Effect.void : Effect.andThen(Effect.sleep("20 millis"), room)
      )
      const context = yield* Effect.context()
      const subscriptions = Subscriptions.make(live, {
        begun: (_, sequence) => send(welcome(epoch, sequence)),
        told: (_, announcement) => {
          messagesSent.updateUnsafe(1, context)
          send(eventOf(announcement))
        },
        caughtUp: () => {},
        foreign: () => Queue.endUnsafe(queue),
        drained: room
      })
      yield* Effect.addFinalizer(() => Effect.sync(subscriptions.close))
      yield* Effect.forkScoped(
        Effect.forever(Effect.andThen(Effect.sleep(pingInterval), Effect.sync(() => send(ping))))
      )
      yield* subscriptions.begin("stream", wanted).pipe(
        Effect.catch((error) =>
          Effect.andThen(Effect.logError("A stream ended", error), Effect.sync(() => Queue.endUnsafe(queue)))
        )
      )
    }),
    { bufferSize: mostWaiting, strategy: "dropping" }
  )

export const StreamHandlers = HttpApiBuilder.group(
  Api,
  "stream",
  Effect.fn(function*(handlers) {
    const live = yield* LiveKillmails
    const readiness = yield* Readiness
    let open = 0
    const count = (change: number) =>
      Effect.suspend(() => {
        open += change
        return Metric.update(subscriptionsOpen, open)
      })
    yield* count(0)

    return handlers.handleAll({
      stream: Effect.fnUntraced(function*({ headers, query, request }) {
        const filter = yield* filterIn(request, ["after", "epoch"])
        const last = headers["last-event-id"] ?? query.after
        const wanted = { filter, after: last === undefined ? undefined : Number(last), epoch: query.epoch }
        if (yield* unavailable(Subscriptions.isForeign(live, wanted))) {
          return yield* new Conflict({
            detail: `Sequence ${last ?? "none"} is not of this epoch: connect without after and epoch, and start anew.`
          })
        }
        if (open >= mostStreams) {
          return yield* new Unavailable({ detail: `There are ${mostStreams} streams already.` })
        }
        const epoch = yield* unavailable(live.epoch)
        return HttpServerResponse.stream(
          Stream.unwrap(
            Effect.as(Effect.acquireRelease(count(1), () => count(-1)), eventsFor(live, epoch, wanted))
          ).pipe(Stream.interruptWhen(readiness.draining)),
          { contentType: "text/event-stream", headers: { "cache-control": "no-cache, no-transform" } }
        )
      })
    })
  })
)
