/** Reads files of market history on a thread of its own. */
import { Effect, Option, Schema, Stream } from "effect"
import { Worker } from "node:worker_threads"
import type { ReadDay } from "./MarketHistory.ts"
import type { FromThread, ToThread } from "./ReadingThread.ts"

/** A file cannot be read, or is none of market history: one sentence that says what is wrong where. */
export class FileUnreadable extends Schema.TaggedError<FileUnreadable>()("FileUnreadable", {
  message: Schema.String
}) {}

export interface Reader {
  /** The days of a file; one file at a time. `bytes` are its content, which is otherwise read from the path. */
  readonly days: (path: string, bytes?: Uint8Array) => Stream.Stream<ReadDay, FileUnreadable>
}

/** The thread's heap: a day takes 20 MB, and what it leaves behind is collected early. */
const resourceLimits = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 256 }

/** The thread lives as long as the scope. */
export const makeReader = Effect.gen(function*() {
  const thread = yield* Effect.acquireRelease(
    Effect.sync(() => new Worker(new URL("./ReadingThread.ts", import.meta.url), { resourceLimits })),
    (thread) => Effect.promise(() => thread.terminate())
  )
  const tell = (message: ToThread) => thread.postMessage(message)
  let answer: ((outcome: Effect.Effect<FromThread, FileUnreadable>) => void) | undefined
  let died: FileUnreadable | undefined
  thread.on("message", (message: FromThread) => answer?.(Effect.succeed(message)))
  thread.on("error", (error) => {
    died = new FileUnreadable({ message: `The thread that reads files died: ${error.message}` })
    answer?.(Effect.fail(died))
  })

  const next = Effect.callback<FromThread, FileUnreadable>((resume) => {
    answer = resume
    if (died === undefined) tell({ type: "next" })
    else resume(Effect.fail(died))
  })

  const days: Reader["days"] = (path, bytes) =>
    Stream.suspend(() => {
      tell({ type: "open", path, ...(bytes === undefined ? {} : { bytes }) })
      return Stream.paginate(undefined, () =>
        Effect.flatMap(next, (answer) =>
          answer.type === "error"
            ? Effect.fail(new FileUnreadable({ message: answer.message }))
            : Effect.succeed(
              answer.type === "day"
                ? [[answer.day], Option.some(undefined)] as const
                : [[], Option.none<undefined>()] as const
            )))
    })

  return { days } satisfies Reader as Reader
})
