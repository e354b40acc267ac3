/**
 * Group commit: callers hand over one killmail each, and whatever has gathered is stored in one transaction. A killmail
 * that is stored alone costs Postgres three times as much as one among a hundred.
 */
import { type Cause, Context, Deferred, Effect, Fiber, Layer, Queue, Schema, type Tracer } from "effect"
import type { SqlError } from "effect/sql"
import { isBadRow } from "../store/Database.ts"
import { KillmailStore, type NewKillmail, type Receipt, writers } from "../store/KillmailStore.ts"
import { traceparentOf } from "../telemetry/TraceContext.ts"

/** The daemon is stopping: nothing was stored, the job comes back. */
export class RecorderClosed extends Schema.TaggedError<RecorderClosed>()("RecorderClosed", {}) {}

/** Killmails in one transaction at most; larger ones were no faster. */
export const maxBatch = 100

interface Request {
  readonly mail: NewKillmail
  readonly span: Tracer.Span
  readonly reply: Deferred.Deferred<Receipt, SqlError.SqlError>
}

export class Recorder extends Context.Service<Recorder, {
  /** Answers once the killmail's transaction has committed or failed; cannot be interrupted in between. */
  readonly record: (mail: NewKillmail) => Effect.Effect<Receipt, SqlError.SqlError | RecorderClosed>
}>()("killmaild/intake/Recorder") {
  static readonly layer = Layer.effect(
    Recorder,
    Effect.gen(function*() {
      const store = yield* KillmailStore
      const inbox = yield* Queue.bounded<Request, Cause.Done>(maxBatch * 4)

      const append = (batch: ReadonlyArray<Request>) =>
        Effect.useSpan(
          "store batch",
          { root: true, links: batch.map(({ span }) => ({ span, attributes: {} })) },
          (batchSpan) => {
            for (const { span } of batch) span.addLinks([{ span: batchSpan, attributes: {} }])
            return Effect.withParentSpan(store.append(batch.map(({ mail }) => mail)), batchSpan)
          }
        )

      // Every request that was taken is answered. One bad row must not fail its neighbours: the batch is halved until
      // the bad one is alone.
      const commit = (batch: ReadonlyArray<Request>): Effect.Effect<void> =>
        Effect.matchCauseEffect(append(batch), {
          onSuccess: (receipts) =>
            Effect.sync(() =>
              batch.forEach(({ reply }, index) => Deferred.doneUnsafe(reply, Effect.succeed(receipts[index]!)))
            ),
          onFailure: (cause) => {
            const middle = batch.length >> 1
            return middle > 0 && hasBadRow(cause)
              ? Effect.andThen(commit(batch.slice(0, middle)), commit(batch.slice(middle)))
              : Effect.sync(() => batch.forEach(({ reply }) => Deferred.doneUnsafe(reply, Effect.failCause(cause))))
          }
        })

      // No gathering delay: under load the inbox has filled by the time a writer comes back.
      const writer = Effect.uninterruptibleMask((restore) =>
        restore(Queue.takeBetween(inbox, 1, maxBatch)).pipe(Effect.flatMap(commit), Effect.forever)
      ).pipe(Effect.catch(() => Effect.void))

      const fibers = yield* Effect.forEach(Array.from({ length: writers }), () => Effect.forkScoped(writer))
      // Before the fibers' own finalizers: refuse new mail, commit what is there, then stop.
      yield* Effect.addFinalizer(() => Effect.andThen(Queue.end(inbox), Fiber.awaitAll(fibers)))

      const record = (mail: NewKillmail) =>
        Effect.useSpan(
          "store killmail",
          { attributes: { "killmail.id": mail.killmail.killmail_id } },
          (span) =>
            Effect.gen(function*() {
              const reply = yield* Deferred.make<Receipt, SqlError.SqlError>()
              const request = { mail: { ...mail, traceparent: traceparentOf(span) }, span, reply }
              if (!(yield* Queue.offer(inbox, request))) return yield* new RecorderClosed()
              return yield* Deferred.await(reply)
            })
        ).pipe(Effect.uninterruptible)

      return Recorder.of({ record })
    })
  )
}

const hasBadRow = (cause: Cause.Cause<SqlError.SqlError>): boolean =>
  cause.reasons.some((reason) => reason._tag === "Fail" && isBadRow(reason.error))
