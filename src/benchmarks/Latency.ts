/**
 * How long a killmail takes from its feed to a subscriber, through real processes: a sandbox's R2Z2 over HTTP, a daemon with
 * all its roles, and a client of its `/ws`. The feed's answers and the subscriber's frames are seen by one process, so that
 * one clock tells both.
 */
import { Effect, Option } from "effect"
import { WebSocket } from "ws"
import * as Sandbox from "../sandbox/Sandbox.ts"
import { FeedStore } from "../store/FeedStore.ts"
import * as DaemonProcess from "./DaemonProcess.ts"
import { freePort } from "./FreePort.ts"
import { Ground } from "./Ground.ts"
import { backfill, prepareBackfill } from "./History.ts"
import { seed, takeMails } from "./Mails.ts"
import { type Quantiles, quantilesOf } from "./Quantiles.ts"

export interface Latency {
  readonly setting: "idle" | "backfill"
  readonly killmails: number
  /** Milliseconds from the last byte of the feed's answer to the subscriber's frame: ours. */
  readonly delivery: Quantiles
  /** Milliseconds from the publication to the last byte of the feed's answer, with R2Z2's waits divided by `speed`. */
  readonly poll: Quantiles
}

/** Killmails a second: the most that zKillboard sees. */
const rate = 10
/** R2Z2 wants 6 s between two looks for a file that is not there yet, here 60 ms. */
export const speed = 100
export const prescribedPollMillis = 6000
/** Killmails before it counts. */
const warmUp = 20
/** Killmails a second that a backfill may import at most. */
const mostImported = 2500
/** Milliseconds after the last publication until a frame is taken for lost. */
const patience = 20_000

const now = () => performance.timeOrigin + performance.now()

/** A subscriber to everything: when it was told of which killmail. */
const subscribe = (url: string) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly toldAt: ReadonlyMap<number, number>; readonly close: () => void }>((resume) => {
      const toldAt = new Map<number, number>()
      const socket = new WebSocket(url)
      socket.on("open", () => socket.send(JSON.stringify({ action: "subscribe", id: "all" })))
      socket.on("message", (data: Buffer) => {
        const at = now()
        const frame = JSON.parse(data.toString()) as {
          readonly type: string
          readonly data?: { readonly killmail_id: number }
        }
        if (frame.type === "killmail") toldAt.set(frame.data!.killmail_id, at)
        if (frame.type === "caught_up") resume(Effect.succeed({ toldAt, close: () => socket.terminate() }))
      })
      socket.on("error", (error) => resume(Effect.die(error)))
    }),
    ({ close }) => Effect.sync(close)
  )

/** One daemon, first idle, then with a backfill running, for so long each. */
export const measureLatency = Effect.fnUntraced(function*(seconds: number) {
  const killmails = seconds * rate
  const sandbox = yield* Sandbox.start({ port: 0, speed, seed, faults: 0, world: "manual" })
  const port = yield* freePort
  const daemon = yield* DaemonProcess.start(yield* Ground, "feeds,jobs,api", {
    ...sandbox.environment,
    KILLMAILD_PORT: String(port),
    KILLMAILD_FEEDS: "r2z2",
    KILLMAILD_R2Z2_RATE: String(4 * speed),
    KILLMAILD_R2Z2_POLL: `${prescribedPollMillis / speed}ms`
  })
  const feeds = yield* FeedStore
  return yield* daemon.during(Effect.gen(function*() {
    // A new daemon begins after the head that it finds: it has to have found it.
    yield* DaemonProcess.until("its feed does not listen", Effect.map(feeds.cursor("r2z2"), Option.isSome))
    const subscriber = yield* subscribe(`ws://127.0.0.1:${port}/ws`)

    /** Publishes and waits until the last one was told, or patience is at its end. */
    const measure = Effect.fnUntraced(function*(setting: Latency["setting"]) {
      const publications: Array<{ readonly id: number; readonly path: string; readonly at: number }> = []
      for (const { hash, killmail, zkb } of takeMails(warmUp + killmails)) {
        const at = now()
        const sequence = sandbox.publishR2z2({ esi: killmail, hash, zkb })
        publications.push({ id: killmail.killmail_id, path: `/r2z2/ephemeral/${sequence}.json`, at })
        yield* Effect.sleep(1000 / rate)
      }
      const deadline = now() + patience
      while (now() < deadline && publications.some(({ id }) => !subscriber.toldAt.has(id))) {
        yield* Effect.sleep("10 millis")
      }
      const answers = new Map(
        sandbox.requests().filter(({ status }) => status === 200).map(({ answeredAt, path }) => [path, answeredAt])
      )
      const counted = publications.slice(warmUp)
      return {
        setting,
        killmails,
        delivery: quantilesOf(
          counted.map(({ id, path }) => (subscriber.toldAt.get(id) ?? Infinity) - answers.get(path)!)
        ),
        poll: quantilesOf(counted.map(({ at, path }) => answers.get(path)! - at))
      } satisfies Latency
    })

    const idle = yield* measure("idle")
    yield* prepareBackfill((seconds + 4) * mostImported)
    const ended = yield* backfill
    const busy = yield* Effect.raceFirst(measure("backfill"), ended)
    return [idle, busy]
  }))
}, Effect.scoped)
