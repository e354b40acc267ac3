/**
 * Follows the killmails with the statistics: what was published since the last turn, then one day that changed otherwise.
 * Of all replicas one counts at a time; any can go on where it stopped.
 */
import { Cause, Duration, Effect, Layer, Option } from "effect"
import { Settings } from "../Settings.ts"
import { within } from "../store/Deadline.ts"
import { type Patience, StatisticsStore } from "../store/StatisticsStore.ts"
import { messageOf } from "../telemetry/Messages.ts"
import { countError } from "../telemetry/Metrics.ts"

/** Publications of one transaction, which takes some hundred milliseconds. */
const page = 1000
/** Milliseconds to wait when there was nothing to count. */
const pause = 5000
/**
 * A page takes half a second, in which Postgres cannot clear away the dead rows of the queue. In a flood of killmails the
 * walk goes first, and the statistics rest for nine tenths of the time; months of the past end soon enough with less rest.
 */
const restAfter = (took: Duration.Duration) => Duration.min(Duration.times(took, 10), Duration.seconds(5))
/** A month of the past takes half a minute; a connection that went silent must hold up neither this nor a stop. */
const deadline = "10 minutes"
/** An import or a revaluation changes a day many times within minutes. */
const patience: Patience = { quietMillis: 60_000, longestMillis: 3_600_000 }

/** Counts what there is to count, a little of everything; says whether there was something. */
export const countSome = Effect.fnUntraced(function*(patience: Patience) {
  const store = yield* StatisticsStore
  yield* store.noteReleased
  const published = yield* store.addPublications(page)
  const recounted = yield* store.recountNext(patience)
  const forgot = yield* store.forgetDay
  return published > 0 || Option.isSome(recounted) || forgot
})

/** Runs for as long as the layer lives, with whatever trouble. */
export const layer = Layer.effectDiscard(Effect.gen(function*() {
  const { scheduleSpeed } = yield* Settings
  const wait = Effect.sleep(pause / scheduleSpeed)
  const mine: Patience = {
    quietMillis: patience.quietMillis / scheduleSpeed,
    longestMillis: patience.longestMillis / scheduleSpeed
  }
  yield* countSome(mine).pipe(
    within(deadline),
    Effect.timed,
    Effect.flatMap(([took, wasBusy]) => wasBusy ? Effect.sleep(restAfter(took)) : wait),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause)
        : Effect.logWarning(`The statistics could not be counted, goes on soon: ${messageOf(cause)}`).pipe(
          Effect.andThen(countError("statistics", "count")),
          Effect.andThen(wait)
        )
    ),
    Effect.forever,
    Effect.forkScoped
  )
}))
