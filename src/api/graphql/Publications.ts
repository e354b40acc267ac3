/** What a GraphQL subscription hears, as an iterator: replayed from where the client left off, then live. */
import { Effect, Metric, Queue, Stream } from "effect"
import type { Announcement, LiveKillmails } from "../../broadcast/LiveKillmails.ts"
import * as Subscriptions from "../../broadcast/Subscriptions.ts"
import type { KillmailDocument } from "../../domain/Document.ts"
import { Conflict } from "../ApiErrors.ts"
import { unavailable } from "../Unavailable.ts"
import { subscriptionsOpen } from "./SubscriptionMetrics.ts"

/** Killmails that may wait for a slow client before it is cut off; they are the ones that all others hear, too. */
const mostWaiting = 1000
/** Above so many that wait a replay waits for its reader. */
const replayWaiting = 100

export interface Wanted extends Subscriptions.Wanted {
  readonly type: Announcement["type"]
}

/** `tooSlow` is called once more is waiting than may; nothing is told after that. */
export const publications = Effect.fnUntraced(
  function*(live: LiveKillmails["Service"], wanted: Wanted, tooSlow: () => void) {
    if (yield* unavailable(Subscriptions.isForeign(live, wanted))) {
      return yield* new Conflict({
        detail: `Sequence ${
          wanted.after ?? "none"
        } is not of this epoch: subscribe without after and epoch, and start anew.`
      })
    }
    const heard = Stream.callback<KillmailDocument>(
      Effect.fnUntraced(function*(queue) {
        const room: Effect.Effect<void> = Effect.suspend(() =>
          Queue.sizeUnsafe(queue) < replayWaiting ? Effect.void : Effect.andThen(Effect.sleep("20 millis"), room)
        )
        const subscriptions = Subscriptions.make(live, {
          begun: () => {},
          told: (_, { document, type }) => {
            if (type !== wanted.type || Queue.offerUnsafe(queue, document)) return
            subscriptions.close()
            tooSlow()
          },
          caughtUp: () => {},
          foreign: () => Queue.endUnsafe(queue),
          drained: room
        })
        yield* Effect.addFinalizer(() => Effect.sync(subscriptions.close))
        yield* Effect.acquireRelease(
          Metric.modify(subscriptionsOpen, 1),
          () => Metric.modify(subscriptionsOpen, -1)
        )
        yield* subscriptions.begin("graphql", wanted).pipe(
          Effect.catch((error) =>
            Effect.andThen(Effect.logError("A subscription ended", error), Effect.sync(() => Queue.endUnsafe(queue)))
          )
        )
      }),
      { bufferSize: mostWaiting, strategy: "dropping" }
    )
    return Stream.toAsyncIterableWith(heard, yield* Effect.context())
  }
)
