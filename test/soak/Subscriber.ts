/** A bot on `/ws` that comes back after every disconnection with the last sequence it has, and minds what it hears. */
import { WebSocket } from "ws"

export interface Subscriber {
  /** Sequences in the order in which they came. */
  readonly heard: () => ReadonlyArray<number>
  /** What is wrong with what it heard, when there were to be so many publications. */
  readonly findings: (publications: number) => ReadonlyArray<string>
  readonly close: () => void
}

/** Milliseconds before it connects again. */
const pauseMillis = 50

export const subscribe = (name: string, url: string): Subscriber => {
  const heard: Array<number> = []
  const killmails = new Set<number>()
  const errors: Array<string> = []
  let isClosed = false
  let socket: WebSocket | undefined

  const connect = () => {
    if (isClosed) return
    socket = new WebSocket(url, { handshakeTimeout: 5000 })
    socket.on("open", () => socket!.send(JSON.stringify({ action: "subscribe", id: "all", after: heard.at(-1) ?? 0 })))
    socket.on("message", (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as {
        readonly type: string
        readonly sequence: number
        readonly data: { readonly killmail_id: number }
      }
      if (frame.type === "error") errors.push(data.toString())
      if (frame.type !== "killmail") return
      heard.push(frame.sequence)
      killmails.add(frame.data.killmail_id)
    })
    socket.on("error", () => {})
    socket.on("close", () => setTimeout(connect, pauseMillis))
  }
  connect()

  return {
    heard: () => heard,
    findings: (publications) => {
      const wrong = heard.findIndex((sequence, index) => sequence !== index + 1)
      const at = wrong < 0 ? "" : `: after ${heard[wrong - 1] ?? "nothing"} came ${heard[wrong]}`
      const all = new Set(heard)
      const missing = Array.from({ length: publications }, (_, index) => index + 1).filter((n) => !all.has(n))
      return [
        ...(wrong < 0 && heard.length === publications
          ? []
          : [
            `I9 ${name} heard ${heard.length} publications, not 1 to ${publications} in order${at}; ` +
            `${missing.length} are missing: ${missing.slice(0, 5).join(", ")}`
          ]),
        ...(killmails.size === heard.length ? [] : [`I9 ${name} heard of ${killmails.size} killmails in all`]),
        ...errors.slice(0, 3).map((error) => `I9 ${name} was told ${error}`)
      ]
    },
    close: () => {
      isClosed = true
      socket?.terminate()
    }
  }
}
