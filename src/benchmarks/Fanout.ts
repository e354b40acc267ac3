/**
 * `benchmark fanout`: how many killmails a second a daemon delivers to many clients of `/ws`, when all want everything and
 * when each has a filter of its own, beside a bare loop over as many sockets; the memory of a client, and how late it hears.
 */
import { Effect } from "effect"
import type { KillmailRow } from "../domain/Document.ts"
import type { Filter } from "../domain/Filter.ts"
import { matches, subjectOf } from "../domain/Matching.ts"
import * as Sandbox from "../sandbox/Sandbox.ts"
import type { Mail } from "../sandbox/World.ts"
import { KillmailReader } from "../store/KillmailReader.ts"
import { KillmailStore } from "../store/KillmailStore.ts"
import * as Children from "./Children.ts"
import { cpuOfTree } from "./Cpu.ts"
import * as DaemonProcess from "./DaemonProcess.ts"
import { prepareFacts } from "./Facts.ts"
import { freePort } from "./FreePort.ts"
import { BenchmarkFailed, Ground, type Machine } from "./Ground.ts"
import type { Tell } from "./Ingest.ts"
import type { Command, Heard } from "./ListenerProcess.ts"
import { seed, takeMails } from "./Mails.ts"
import { median, type Quantiles, quantilesOf } from "./Quantiles.ts"

export interface Plan {
  /** Clients of the smaller measurement, and of the larger. */
  readonly few: number
  readonly many: number
  /** Deliveries of one measurement, about, when all want everything. */
  readonly deliveries: number
  /** Measurements, each of the bare loop and of the daemon. */
  readonly pairs: number
  /** Seconds of one measurement of latency. */
  readonly seconds: number
}

export interface Rate {
  readonly perSecond: number
  /** Microseconds of the server's CPU a delivery; null where nothing tells. */
  readonly micros: number | null
}

export interface Setting {
  readonly wanted: "everything" | "filters"
  readonly pairs: ReadonlyArray<{ readonly bare: Rate; readonly daemon: Rate }>
  /** Deliveries a second of the daemon, as a share of the bare loop's: the median of the pairs. */
  readonly ratio: number
  /** The same of deliveries for the same CPU, which other work on the machine does not change; null where nothing tells. */
  readonly cpuRatio: number | null
}

export interface Crowd {
  readonly clients: number
  /** Resident memory of the daemon that a client costs, in kilobytes; null where nothing tells. */
  readonly kilobytesPerClient: number | null
  readonly bareKilobytesPerClient: number | null
  readonly settings: ReadonlyArray<Setting>
  /** Killmails a second while latency is measured. */
  readonly rate: number
  /** Milliseconds from the call that stores a killmail to the frame. */
  readonly latency: Quantiles
}

export interface FanoutReport {
  readonly benchmark: "fanout"
  readonly machine: Machine
  readonly plan: Plan
  readonly crowds: ReadonlyArray<Crowd>
}

/** Processes that share the clients: more would take the time of those who are measured. */
const listeners = 2
/** Deliveries that are waited for this long. */
const patienceMillis = 60_000
/** Killmails a second while latency is measured: the most that zKillboard sees, or its everyday. */
const rates = { few: 10, many: 1 }

export const fanout = Effect.fnUntraced(function*(plan: Plan, tell: Tell) {
  const { machine } = yield* Ground
  yield* tell("the tables learn what things are and cost")
  yield* prepareFacts
  const crowds: Array<Crowd> = []
  for (const size of ["few", "many"] as const) {
    yield* tell(`${plan[size]} clients`)
    crowds.push(yield* measure(plan, plan[size], rates[size], tell))
  }
  return { benchmark: "fanout", machine, plan, crowds } satisfies FanoutReport as FanoutReport
})

const measure = Effect.fnUntraced(function*(plan: Plan, clients: number, rate: number, tell: Tell) {
  const sandbox = yield* Sandbox.start({ port: 0, speed: 1000, seed, faults: 0, world: "manual" })
  const port = yield* freePort
  const daemon = yield* DaemonProcess.start(yield* Ground, "api", {
    ...sandbox.environment,
    KILLMAILD_FEEDS: "",
    KILLMAILD_PORT: String(port)
  })
  yield* daemon.during(DaemonProcess.until("it does not answer", isReady(port)))
  const bare = yield* Children.start("BareServer.ts")
  const { port: barePort } = yield* Children.answerOf<{ readonly port: number }>(bare)
  const processes = yield* Effect.forEach(Array.from({ length: listeners }), () => Children.start("ListenerProcess.ts"))
  const share = Math.ceil(clients / listeners)

  const command = (of: (index: number) => Command) =>
    Effect.forEach(processes, (child, index) => Children.ask<Heard>(child, of(index)), { concurrency: "unbounded" })
  const forget = command(() => ({ command: "forget" }))
  /** Each client says its message; or, of one, all say it. */
  const say = (messages: ReadonlyArray<string>) =>
    command((index) => ({
      command: "say",
      port,
      messages: messages.length === 1 ? messages : messages.slice(index * share, (index + 1) * share)
    }))
  /** Waits until so much was heard by all together. */
  const heard = Effect.fnUntraced(function*(what: "deliveries" | "caughtUp", wanted: number) {
    const deadline = performance.now() + patienceMillis
    for (;;) {
      const parts = yield* command(() => ({ command: "ask" }))
      const sum = parts.reduce((sum, part) => sum + part[what], 0)
      if (sum >= wanted) return parts
      if (performance.now() > deadline) {
        return yield* new BenchmarkFailed({ message: `Of ${wanted} ${what} only ${sum} came.` })
      }
      yield* Effect.sleep("50 millis")
    }
  })
  const subscribe = Effect.fnUntraced(function*(messages: ReadonlyArray<string>) {
    yield* forget
    yield* say(messages)
    yield* heard("caughtUp", clients)
  })

  /** Has them connect; kilobytes of memory that each costs the server. */
  const connect = Effect.fnUntraced(
    function*(server: number, pid: number, then: Effect.Effect<unknown, BenchmarkFailed>) {
      const before = Children.residentOf(pid)
      yield* command((index) => ({ command: "connect", port: server, count: Math.min(share, clients - index * share) }))
      yield* then
      const after = Children.residentOf(pid)
      return before === null || after === null ? null : Math.round((after - before) / clients)
    }
  )

  /** What a server does of so many deliveries, from the first to the last. */
  const rateOf = Effect.fnUntraced(
    function*<E, R>(pid: number, deliveries: number, work: Effect.Effect<unknown, E, R>) {
      yield* forget
      const before = cpuOfTree(pid)
      yield* work
      const parts = (yield* heard("deliveries", deliveries)).filter((part) => part.deliveries > 0)
      const after = cpuOfTree(pid)
      const first = Math.min(...parts.map(({ firstAt }) => firstAt))
      const last = Math.max(...parts.map(({ lastAt }) => lastAt))
      const rate: Rate = {
        perSecond: Math.round(deliveries / Math.max(1, last - first) * 1000),
        micros: before === undefined || after === undefined ? null : (after - before) * 1000 / deliveries
      }
      return { rate, bytes: parts[0]!.bytes }
    }
  )

  const publications = Math.max(2, Math.round(plan.deliveries / clients))
  const measureRates = Effect.fnUntraced(function*(wanted: Setting["wanted"], audienceOf: (mail: Mail) => number) {
    yield* tell(`${clients} clients, ${wanted}`)
    const pairs: Array<Setting["pairs"][number]> = []
    // The first pair is for what has to get warm.
    for (let pair = 0; pair <= plan.pairs; pair++) {
      const mails = takeMails(publications)
      const audiences = mails.map(audienceOf)
      const deliveries = audiences.reduce((sum, audience) => sum + audience, 0)
      if (deliveries === 0) {
        return yield* new BenchmarkFailed({ message: "No filter fits any killmail, wants more clients." })
      }
      const ours = yield* rateOf(daemon.pid, deliveries, store(mails))
      const theirs = yield* rateOf(
        bare.pid!,
        deliveries,
        Children.ask(bare, { frame: frameLike(ours.bytes), audiences })
      )
      if (pair > 0) pairs.push({ bare: theirs.rate, daemon: ours.rate })
    }
    const cpuRatios = pairs.flatMap(({ bare, daemon }) =>
      bare.micros === null || daemon.micros === null ? [] : [bare.micros / daemon.micros]
    )
    return {
      wanted,
      pairs,
      ratio: median(pairs.map(({ bare, daemon }) => daemon.perSecond / bare.perSecond)),
      cpuRatio: cpuRatios.length === 0 ? null : median(cpuRatios)
    } satisfies Setting
  })

  const measureLatency = Effect.gen(function*() {
    yield* tell(`${clients} clients, latency at ${rate} killmails a second`)
    yield* forget
    const before = yield* (yield* KillmailReader).lastSequence
    const mails = takeMails(plan.seconds * rate)
    const storedAt: Array<number> = []
    const began = performance.now()
    for (const [index, mail] of mails.entries()) {
      yield* Effect.sleep(Math.max(0, began + index * 1000 / rate - performance.now()))
      storedAt.push(performance.timeOrigin + performance.now())
      yield* store([mail])
    }
    const parts = yield* heard("deliveries", mails.length * clients)
    return quantilesOf(
      parts.flatMap(({ arrivals }) => arrivals.map(([sequence, at]) => at - storedAt[sequence - before - 1]!))
    )
  })

  return yield* daemon.during(Effect.gen(function*() {
    const kilobytesPerClient = yield* connect(port, daemon.pid, subscribe([subscription("all", {})]))
    const bareKilobytesPerClient = yield* connect(barePort, bare.pid!, Effect.void)
    const everything = yield* measureRates("everything", () => clients)
    const latency = yield* measureLatency
    const filters = filtersFor(clients)
    yield* say([JSON.stringify({ action: "unsubscribe", id: "all" })])
    yield* subscribe(filters.map((filter) => subscription("some", filter)))
    const filtered = yield* measureRates("filters", audienceWith(filters))
    return {
      clients,
      kilobytesPerClient,
      bareKilobytesPerClient,
      settings: [everything, filtered],
      rate,
      latency
    } satisfies Crowd
  }))
}, Effect.scoped)

const isReady = (port: number) =>
  Effect.promise(() => fetch(`http://127.0.0.1:${port}/health/ready`).then(({ status }) => status === 200, () => false))

const subscription = (id: string, filter: Filter) => JSON.stringify({ action: "subscribe", id, filter })

const store = (mails: ReadonlyArray<Mail>) =>
  KillmailStore.use(({ append }) =>
    append(mails.map(({ hash, killmail, zkb }) => ({ killmail, hash, zkb, source: "benchmark", heardAt: new Date() })))
  )

/** A frame of so many bytes, which a listener takes for a killmail; in Base64. */
const frameLike = (bytes: number): string => {
  const frame = Buffer.alloc(bytes, " ")
  frame[0] = 0x81
  frame[1] = 126
  frame.writeUInt16BE(bytes - 4, 2)
  frame.write("{\"type\":\"killmail\"", 4)
  return frame.toString("base64")
}

/** Mails whose people, ships and places a filter names. */
const namedMails = 4

/** Each another: of some killmails one kind of what is on them, and an id that nobody else names. */
const filtersFor = (clients: number): ReadonlyArray<Filter> => {
  const sample = takeMails(500).map(({ killmail }) => killmail)
  return Array.from({ length: clients }, (_, index): Filter => {
    const some = Array.from({ length: namedMails }, (_, k) => sample[(index * namedMails + k) % sample.length]!)
    const own = 1_900_000_000 + index
    const attackers = some.flatMap(({ attackers }) => attackers.slice(0, 1))
    switch (index % 6) {
      case 0:
        return { character: [...some.flatMap(({ victim }) => victim.character_id ?? []), own] }
      case 1:
        return { corporation: [...attackers.flatMap(({ corporation_id }) => corporation_id ?? []), own] }
      case 2:
        return { alliance: [...attackers.flatMap(({ alliance_id }) => alliance_id ?? []), own] }
      case 3:
        return { ship: [...attackers.flatMap(({ ship_type_id }) => ship_type_id ?? []), own] }
      case 4:
        return { ship: [...some.map(({ victim }) => victim.ship_type_id), own], role: "victim" }
      default:
        return { system: [...some.map(({ solar_system_id }) => solar_system_id), own] }
    }
  })
}

const nothingKnown = { type: () => undefined, system: () => undefined }

/** How many of these fit a killmail: they ask for ids alone. */
const audienceWith = (filters: ReadonlyArray<Filter>) => {
  const tests = filters.map(matches)
  return ({ killmail: { attackers, victim, ...killmail } }: Mail): number => {
    const row = {
      ...killmail,
      attackers,
      victim_character_id: victim.character_id,
      victim_corporation_id: victim.corporation_id,
      victim_alliance_id: victim.alliance_id,
      victim_ship_type_id: victim.ship_type_id
    }
    const subject = subjectOf(row as unknown as KillmailRow, nothingKnown)
    return tests.filter((fits) => fits(subject)).length
  }
}
