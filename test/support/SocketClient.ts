/** A client of `/ws` as a bot would write it: what it was told, and waiting for what it has not been told yet. */
import { Effect, type Scope } from "effect"
import { type ClientOptions, WebSocket } from "ws"
import type { KillmailDocument } from "../../src/domain/Document.ts"
import { makeWaiting } from "./Waiting.ts"

export interface Frame {
  readonly type: string
  readonly id?: string
  readonly code?: string
  readonly epoch?: string
  readonly sequence?: number
  readonly message?: string
  readonly subscriptions?: ReadonlyArray<string>
  readonly data?: KillmailDocument
}

export interface SocketClient {
  readonly socket: WebSocket
  readonly frames: ReadonlyArray<Frame>
  readonly send: (message: object | string) => void
  /** The first frame that fits, told already or yet to come; fails once the connection has ended without it. */
  readonly frame: (fits: (frame: Frame) => boolean) => Effect.Effect<Frame, Error>
  readonly closed: Effect.Effect<number>
}

/** Connects to a daemon's `/ws`; the connection ends with its scope. */
export const connectSocket = (
  url: string,
  options: ClientOptions = {}
): Effect.Effect<SocketClient, Error, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<SocketClient, Error>((resume) => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/ws`, options)
      const frames: Array<Frame> = []
      const { wake, when } = makeWaiting()
      let code: number | undefined
      socket.on("message", (data: Buffer) => {
        frames.push(JSON.parse(data.toString("utf8")) as Frame)
        wake()
      })
      socket.on("close", (closeCode: number) => {
        code = closeCode
        wake()
      })
      socket.on("error", (error) => resume(Effect.fail(error)))
      socket.on("open", () =>
        resume(Effect.succeed({
          socket,
          frames,
          send: (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message)),
          frame: (fits) =>
            when(() => {
              const found = frames.find(fits)
              if (found !== undefined) return Effect.succeed(found)
              if (code !== undefined) {
                return Effect.fail(new Error(`closed with ${code}; last frame ${JSON.stringify(frames.at(-1))}`))
              }
              return undefined
            }),
          closed: Effect.orDie(when(() => code === undefined ? undefined : Effect.succeed(code)))
        })))
    }),
    ({ socket }) => Effect.sync(() => socket.terminate())
  )

export const sequencesOf = (frames: ReadonlyArray<Frame>): ReadonlyArray<number> =>
  frames.filter(({ type }) => type === "killmail").map(({ sequence }) => sequence!)
