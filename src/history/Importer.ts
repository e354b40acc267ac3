/** The threads that import archives, from outside: started when there is work, ended when there has been none for a while. */
import { Context, Deferred, Effect, Layer, Pool, Redacted, Schema } from "effect"
import { Worker } from "node:worker_threads"
import type { Archive, Outcome } from "./ImportArchive.ts"
import type { FromThread, ThreadData } from "./ImportThread.ts"

/** The archive is as it was, but the thread could not go on. */
export class ImportFailed extends Schema.TaggedError<ImportFailed>()("ImportFailed", {
  message: Schema.String,
  /** Postgres was away or busy: it will be there again. */
  isPassing: Schema.Boolean
}) {}

/** One for each core of a small machine: each takes up to 150 MB. */
export const mostThreads = 2
const idleTime = "20 seconds"
const resourceLimits = { maxYoungGenerationSizeMb: 32, maxOldGenerationSizeMb: 256 }

export class Importer extends Context.Service<Importer, {
  /** Waits for a thread that is free. Interrupted, it stops at once, and what is in a transaction is rolled back. */
  readonly run: (archive: Archive) => Effect.Effect<Outcome, ImportFailed>
}>()("killmaild/history/Importer") {
  /** All connections of the threads bear this name. */
  static readonly layer = (url: Redacted.Redacted, applicationName: string) =>
    Layer.effect(
      Importer,
      Effect.gen(function*() {
        const workerData: ThreadData = { databaseUrl: Redacted.value(url), applicationName }
        const acquire = Effect.acquireRelease(Effect.sync(() => start(workerData)), ({ worker }) =>
          Effect.promise(() => worker.terminate()))
        const threads = yield* Pool.makeWithTTL({ acquire, min: 0, max: mostThreads, timeToLive: idleTime })
        const run = (archive: Archive) =>
          Effect.scoped(Effect.flatMap(Pool.get(threads), (thread) =>
            Effect.onError(answerTo(thread, archive), () =>
              Pool.invalidate(threads, thread))))
        return Importer.of({ run })
      })
    )
}

interface Thread {
  readonly worker: Worker
  /** How it ended, which it does when it fails. */
  readonly ended: Deferred.Deferred<never, ImportFailed>
}

const start = (workerData: ThreadData): Thread => {
  const worker = new Worker(new URL("./ImportThread.ts", import.meta.url), { workerData, resourceLimits })
  const ended = Deferred.makeUnsafe<never, ImportFailed>()
  const end = (message: string) =>
    Deferred.doneUnsafe(ended, Effect.fail(new ImportFailed({ message, isPassing: false })))
  worker.on("error", (error) => end(`The thread died: ${error instanceof Error ? error.message : error}`))
  worker.on("exit", (status) => end(`The thread ended with status ${status}.`))
  return { worker, ended }
}

const answerTo = ({ ended, worker }: Thread, archive: Archive) => {
  const answer = Effect.callback<Outcome, ImportFailed>((resume) => {
    const tell = (answer: FromThread) =>
      resume(
        answer.type === "imported"
          ? Effect.succeed(answer.outcome)
          : Effect.fail(new ImportFailed(answer))
      )
    worker.once("message", tell)
    worker.postMessage(archive)
    return Effect.sync(() => worker.off("message", tell))
  })
  return Effect.raceFirst(answer, Deferred.await(ended))
}
