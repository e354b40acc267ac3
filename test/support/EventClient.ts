/** A client of server-sent events: those that came, and waiting for one that has not come yet. */
import { Effect, type Scope } from "effect"
import type { KillmailDocument } from "../../src/domain/Document.ts"

export interface StreamEvent {
  readonly event: string
  readonly id: string | undefined
  readonly data: KillmailDocument
}

export interface EventClient {
  readonly events: ReadonlyArray<StreamEvent>
  /** The first event that fits, told already or yet to come; fails once the stream has ended without it. */
  readonly event: (fits: (event: StreamEvent) => boolean) => Effect.Effect<StreamEvent, Error>
}

const parse = (text: string): StreamEvent | undefined => {
  const fields = new Map(
    text.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)])
  )
  const data = fields.get("data")
  return data === undefined
    ? undefined
    : { event: fields.get("event") ?? "message", id: fields.get("id"), data: JSON.parse(data) as KillmailDocument }
}

/** Connects; the connection ends with its scope. */
export const connectEvents = (
  url: string,
  headers: Readonly<Record<string, string>> = {}
): Effect.Effect<EventClient, Error, Scope.Scope> =>
  Effect.gen(function*() {
    const abort = yield* Effect.acquireRelease(
      Effect.sync(() => new AbortController()),
      (controller) => Effect.sync(() => controller.abort())
    )
    const response = yield* Effect.promise(() => fetch(url, { headers, signal: abort.signal }))
    if (response.status !== 200) return yield* Effect.fail(new Error(`${response.status} ${yield* textOf(response)}`))
    const events: Array<StreamEvent> = []
    const waiting = new Set<() => void>()
    let ended = false
    const wake = () => waiting.forEach((look) => look())
    const read = async () => {
      let rest = ""
      try {
        for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
          const parts = (rest + chunk).split("\n\n")
          rest = parts.pop()!
          events.push(...parts.flatMap((part) => parse(part) ?? []))
          wake()
        }
      } catch {
        // The test is over, or the daemon is.
      }
      ended = true
      wake()
    }
    void read()
    return {
      events,
      event: (fits) =>
        Effect.callback<StreamEvent, Error>((resume) => {
          const look = () => {
            const found = events.find(fits)
            if (found === undefined && !ended) return
            waiting.delete(look)
            resume(found === undefined ? Effect.fail(new Error("The stream ended.")) : Effect.succeed(found))
          }
          waiting.add(look)
          look()
        })
    }
  })

const textOf = (response: Response) => Effect.promise(() => response.text())
