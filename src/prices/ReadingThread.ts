/**
 * The thread that unpacks and reads files, as a day takes a quarter of a second of computing, in which no killmail would
 * move. It hands out one day at a time, when asked for the next.
 */
import { parentPort } from "node:worker_threads"
import { daysOf, type ReadDay } from "./MarketHistory.ts"

export type ToThread =
  /** Begins with this file, whose bytes are read from its path where they do not come along. */
  | { readonly type: "open"; readonly path: string; readonly bytes?: Uint8Array }
  | { readonly type: "next" }

export type FromThread =
  | { readonly type: "day"; readonly day: ReadDay }
  | { readonly type: "end" }
  | { readonly type: "error"; readonly message: string }

let days: AsyncGenerator<ReadDay> | undefined

const next = async (): Promise<FromThread> => {
  try {
    const result = await days?.next()
    return result === undefined || result.done === true ? { type: "end" } : { type: "day", day: result.value }
  } catch (cause) {
    return { type: "error", message: cause instanceof Error ? cause.message : String(cause) }
  }
}

parentPort?.on("message", (message: ToThread) => {
  if (message.type === "open") days = daysOf(message.path, message.bytes)
  else void next().then((answer) => parentPort?.postMessage(answer))
})
