/**
 * A feed is an actor: one fiber, one durable cursor, one leader over all replicas. Whatever fails inside starts it again
 * from its cursor, after a pause that grows and is never the same for two of them.
 */
import { Cause, Effect, Layer, Metric, Option } from "effect"
import type { SqlError } from "effect/sql"
import { crashPoint } from "../CrashPoint.ts"
import { type Killmail, normaliseTime } from "../domain/Killmail.ts"
import { type Heard, hearingOf } from "../intake/Hearing.ts"
import type { SettingInvalid } from "../Settings.ts"
import { isLostConnection } from "../store/Database.ts"
import { FeedStore, type Skipped } from "../store/FeedStore.ts"
import { type Lease, type LeaseLost, Leases } from "../store/Leases.ts"
import { messageOf } from "../telemetry/Messages.ts"
import { countError, feedBackoffSeconds, feedCursor, feedLagSeconds, feedRestarts } from "../telemetry/Metrics.ts"
import { currentTraceparent } from "../telemetry/TraceContext.ts"
import type { FeedUnavailable } from "./Upstream.ts"

/** What a source may do while it leads. */
export interface Actor {
  readonly cursor: Effect.Effect<Option.Option<number>, SqlError.SqlError>
  /** Hands on what was heard and moves the cursor, both or neither. */
  readonly hear: (
    heard: ReadonlyArray<Heard>,
    cursor?: number
  ) => Effect.Effect<void, SqlError.SqlError | LeaseLost>
  /** Moves on past what cannot be had, and opens a gap, which is filled from elsewhere. */
  readonly skip: (skipped: Skipped, cursor?: number) => Effect.Effect<void, SqlError.SqlError | LeaseLost>
  /** Tells the supervisor that all is well: the next failure waits shortly. */
  readonly healthy: Effect.Effect<void>
}

export type SourceError = FeedUnavailable | SqlError.SqlError | LeaseLost | SettingInvalid

export interface Source<R> {
  readonly name: string
  /** Reads until it fails. */
  readonly listen: (actor: Actor) => Effect.Effect<never, SourceError, R>
}

const actorOf = Effect.fnUntraced(function*(name: string, lease: Lease, onHealthy: Effect.Effect<void>) {
  const store = yield* FeedStore
  const noteCursor = (cursor: number | undefined) =>
    cursor === undefined ? Effect.void : Metric.update(Metric.withAttributes(feedCursor, { feed: name }), cursor)

  // Each killmail's trace begins here and lives on in its job.
  const hearingWithTrace = (heard: Heard) =>
    Effect.map(currentTraceparent, (traceparent) => hearingOf(name, "live", heard, traceparent)).pipe(
      Effect.withSpan("hear killmail", {
        root: true,
        kind: "consumer",
        attributes: { "killmail.id": heard.killmail_id, "killmail.source": name }
      })
    )

  const hear: Actor["hear"] = Effect.fnUntraced(function*(heard, cursor) {
    const hearings = yield* Effect.forEach(heard, hearingWithTrace)
    yield* crashPoint("heard, nothing written")
    yield* store.hear(lease, hearings, cursor)
    yield* crashPoint("hearing committed, cursor not known")
    yield* noteCursor(cursor)
    for (const { publishedAt } of heard) {
      if (publishedAt === undefined) continue
      const lag = Math.max(0, Date.now() - publishedAt) / 1000
      yield* Metric.update(Metric.withAttributes(feedLagSeconds, { feed: name }), lag)
    }
    yield* onHealthy
  })

  const actor: Actor = {
    cursor: Effect.tap(store.cursor(name), (cursor) => noteCursor(Option.getOrUndefined(cursor))),
    hear,
    skip: (skipped, cursor) =>
      store.skip(lease, skipped, cursor).pipe(
        Effect.andThen(noteCursor(cursor)),
        Effect.andThen(countError(name, skipped.reason)),
        Effect.andThen(Effect.logWarning(`${name}: ${skipped.error}; noted as a gap`))
      ),
    healthy: onHealthy
  }
  return actor
})

/** Milliseconds: 1 s, doubling up to a minute, ± 20 %, so that feeds and replicas do not come back in step. */
const restartPause = (failures: number): number =>
  Math.min(60_000, 1000 * 2 ** Math.max(0, failures - 1)) * (0.8 + 0.4 * Math.random())

/** Milliseconds: half a second, ± 20 %, while Postgres is away: it is ours, and comes back for all at once. */
const reconnectPause = (): number => 500 * (0.8 + 0.4 * Math.random())

/** Leads and listens; ends only by failing. */
const leadAndListen = <R>(source: Source<R>, onHealthy: Effect.Effect<void>) =>
  Effect.scoped(Effect.gen(function*() {
    const leases = yield* Leases
    const lease = yield* leases.acquire(source.name)
    yield* Effect.logInfo(`${source.name}: listening (term ${lease.term})`)
    const actor = yield* actorOf(source.name, lease, onHealthy)
    return yield* Effect.raceFirst(source.listen(actor), lease.lost)
  }))

const supervise = Effect.fnUntraced(function*<R>(source: Source<R>) {
  let failures = 0
  const noteBackoff = (millis: number) =>
    Metric.update(Metric.withAttributes(feedBackoffSeconds, { feed: source.name }), millis / 1000)
  const onHealthy = Effect.suspend(() => {
    failures = 0
    return noteBackoff(0)
  })
  for (;;) {
    yield* leadAndListen(source, onHealthy).pipe(
      Effect.catchTags({
        // As long as another replica leads, look again now and then.
        LeaseHeld: () => Effect.sleep("1 second"),
        // A real upstream without a contact: no use in trying again.
        SettingInvalid: (error) => Effect.andThen(Effect.logError(error.message), Effect.never)
      }),
      Effect.catchCause((cause) => {
        if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
        const pause = isLostConnection(Cause.squash(cause)) ? reconnectPause() : restartPause(++failures)
        return Effect.logWarning(
          `${source.name}: stopped listening, starts again in ${Math.round(pause)} ms: ${messageOf(cause)}`
        )
          .pipe(
            Effect.andThen(Metric.update(Metric.withAttributes(feedRestarts, { feed: source.name }), 1)),
            Effect.andThen(countError(source.name, "restart")),
            Effect.andThen(noteBackoff(pause)),
            Effect.andThen(Effect.sleep(pause))
          )
      })
    )
  }
})

/** Listens to this source for as long as the layer lives. */
export const layer = <R>(source: Source<R>) =>
  Layer.effectDiscard(Effect.forkScoped(supervise(source).pipe(Effect.annotateLogs({ feed: source.name }))))

/** Of a body that may be anything: when the kill happened, to tell how late we hear of it. */
export const timeOf = (body: unknown): number | undefined => {
  const time = (body as Partial<Killmail> | null | undefined)?.killmail_time
  if (typeof time !== "string" || Number.isNaN(Date.parse(time))) return undefined
  return Date.parse(normaliseTime(time))
}
