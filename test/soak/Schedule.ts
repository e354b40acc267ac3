/** What happens to a daemon in a run, in an order that its seed decides. */
import { randomOf } from "../../src/sandbox/Random.ts"
import type { Fault } from "../support/FaultProxy.ts"
import type { Victim } from "./Processes.ts"

export type Event =
  | { readonly kind: "kill"; readonly victim: Victim }
  /** All of Postgres' processes die at once and it recovers. */
  | { readonly kind: "restart" }
  /** Between the daemon and whom it talks to, for so many milliseconds. */
  | {
    readonly kind: "network"
    readonly to: "postgres" | "upstreams"
    readonly fault: Fault
    readonly millis: number
  }

export const nameOf = (event: Event): string =>
  event.kind === "kill"
    ? `kill ${event.victim}`
    : event.kind === "restart"
    ? "restart"
    : `${event.fault.kind} to ${event.to}`

const victims: ReadonlyArray<Victim> = ["jobs", "daemon", "both"]

/** Half-open connections are left to the deadlines of who holds them; the others end by themselves. */
const faults: ReadonlyArray<readonly [fault: Fault, millis: number]> = [
  [{ kind: "cut" }, 1000],
  [{ kind: "half-open" }, 0],
  [{ kind: "silence" }, 3000],
  [{ kind: "reset", afterBytes: 700 }, 1000],
  [{ kind: "latency", millis: 30 }, 2000],
  [{ kind: "drip", bytesPerSecond: 2000 }, 2000]
]

const networkEvents: ReadonlyArray<Event> = faults.flatMap(([fault, millis]) =>
  (["postgres", "upstreams"] as const).map((to): Event => ({ kind: "network", to, fault, millis }))
)

/** So many of each kind, every victim and every fault in turn; where each begins and who comes when is the seed's choice. */
export const scheduleOf = (
  seed: string,
  { kills, networks, restarts }: { readonly kills: number; readonly restarts: number; readonly networks: number }
): ReadonlyArray<Event> => {
  const random = randomOf(seed, "schedule")
  const inTurn = <A>(from: ReadonlyArray<A>, count: number): ReadonlyArray<A> => {
    const first = random.whole(0, from.length - 1)
    return Array.from({ length: count }, (_, index) => from[(first + index) % from.length]!)
  }
  const events: ReadonlyArray<Event> = [
    ...inTurn(victims, kills).map((victim): Event => ({ kind: "kill", victim })),
    ...Array.from({ length: restarts }, (): Event => ({ kind: "restart" })),
    ...inTurn(networkEvents, networks)
  ]
  return events.map((event) => ({ event, draw: random.next() })).toSorted((a, b) => a.draw - b.draw)
    .map(({ event }) => event)
}
