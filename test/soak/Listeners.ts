/**
 * Clients of `/ws` with a filter each, drawn from what is going to be published, that leave and come back at random with the
 * last sequence they have. What they heard has to be what SQL finds, in that order.
 */
import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { WebSocket } from "ws"
import { type Filter, readFilter } from "../../src/domain/Filter.ts"
import { type Random, randomOf } from "../../src/sandbox/Random.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { conditionsOf } from "../../src/store/FilterSql.ts"

export interface Listeners {
  /** From now on they stay, unless the daemon goes. */
  readonly settle: () => void
  /** How often they connected, together. */
  readonly connections: () => number
  /** What each was to hear, asked of the tables when all is stored. */
  readonly wanted: Effect.Effect<Wanted, SqlError.SqlError, SqlClient.SqlClient>
  readonly haveHeard: (wanted: Wanted) => boolean
  /** Whoever has not heard, in order, exactly what fits. */
  readonly findings: (wanted: Wanted) => ReadonlyArray<string>
  readonly close: () => void
}

/** Sequences by listener. */
export type Wanted = ReadonlyArray<ReadonlyArray<number>>

interface Listener {
  readonly name: string
  readonly filter: Filter
  readonly heard: Array<number>
  readonly errors: Array<string>
}

/** Milliseconds that a client stays, and stays away. */
const stay = [1000, 20_000] as const
const absence = [0, 1000] as const
/** All that was ever played here. */
const everything = { first: "2003-05-01T00:00:00Z", last: "2100-01-01T00:00:00Z" }

const present = (ids: ReadonlyArray<number | undefined>) => ids.filter((id) => id !== undefined)

/** What is on some of these killmails, by fields that never change once it is told. */
const filterFor = (random: Random, seed: string, killmails: number): Filter => {
  const some = () => killmailOf(seed, random.whole(0, killmails - 1)).killmail
  const mails = Array.from({ length: random.whole(1, 4) }, some)
  const attackers = mails.flatMap(({ attackers }) => attackers)
  const fields: Readonly<Record<string, () => unknown>> = {
    character: () => present([...mails.map(({ victim }) => victim.character_id), attackers[0]?.character_id]),
    corporation: () => present(attackers.map(({ corporation_id }) => corporation_id)),
    alliance: () => present(attackers.map(({ alliance_id }) => alliance_id)),
    ship: () => mails.map(({ victim }) => victim.ship_type_id),
    system: () => mails.map(({ solar_system_id }) => solar_system_id),
    role: () => random.pick(["any", "victim", "attacker"]),
    min_attackers: () => random.whole(1, 4),
    max_attackers: () => random.whole(1, 10)
  }
  const chosen = Array.from({ length: random.whole(0, 2) }, () => random.pick(Object.keys(fields)))
  const read = readFilter(Object.fromEntries(chosen.map((field) => [field, fields[field]!()])))
  return read._tag === "Success" ? read.success : {}
}

export const listen = (
  { count, killmails, seed, url }: {
    readonly seed: string
    readonly killmails: number
    readonly count: number
    readonly url: string
  }
): Listeners => {
  const sockets = new Set<WebSocket>()
  let isRestless = true
  let isClosed = false
  let connections = 0

  const listeners = Array.from({ length: count }, (_, index): Listener => {
    const random = randomOf(seed, "listener", index)
    return { name: `listener ${index}`, filter: filterFor(random, seed, killmails), heard: [], errors: [] }
  })

  const connect = (listener: Listener, random: Random) => {
    if (isClosed) return
    const { errors, filter, heard } = listener
    const socket = new WebSocket(url, { handshakeTimeout: 5000 })
    sockets.add(socket)
    const leave = setTimeout(() => isRestless && socket.terminate(), random.whole(...stay))
    socket.on("open", () => {
      connections++
      socket.send(JSON.stringify({ action: "subscribe", id: "mine", filter, after: heard.at(-1) ?? 0 }))
    })
    socket.on("message", (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { readonly type: string; readonly sequence: number }
      if (frame.type === "error") errors.push(data.toString())
      if (frame.type === "killmail") heard.push(frame.sequence)
    })
    socket.on("error", () => {})
    socket.on("close", () => {
      clearTimeout(leave)
      sockets.delete(socket)
      setTimeout(() => connect(listener, random), random.whole(...absence))
    })
  }
  for (const [index, listener] of listeners.entries()) connect(listener, randomOf(seed, "turns", index))

  const wanted = Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    return yield* Effect.forEach(listeners, ({ filter }) =>
      Effect.map(
        sql<{ sequence: number }>`
          select ledger.sequence::int as sequence
          from killmail_ledger ledger
          join killmails mail using (killmail_time, killmail_id)
          where ledger.sequence is not null and ${sql.and(["true", ...conditionsOf(sql, filter, everything)])}
          order by ledger.sequence`,
        (rows) => rows.map(({ sequence }) => sequence)
      ))
  })

  const findings = (wanted: Wanted) =>
    listeners.flatMap(({ errors, filter, heard, name }, index) => {
      const fitting = wanted[index]!
      const differs = (sequence: number, place: number) => heard[place] !== sequence
      const wrong = heard.length > fitting.length ? fitting.length : fitting.findIndex(differs)
      return [
        ...(wrong < 0 ? [] : [
          `I9 ${name} heard ${heard.length} of ${fitting.length} that fit ${
            JSON.stringify(filter)
          }: number ${wrong} is ` +
          `${heard[wrong]}, not ${fitting[wrong]}`
        ]),
        ...errors.slice(0, 1).map((error) => `I9 ${name} was told ${error}`)
      ]
    })

  return {
    settle: () => {
      isRestless = false
    },
    connections: () => connections,
    wanted,
    haveHeard: (wanted) => listeners.every(({ heard }, index) => heard.length >= wanted[index]!.length),
    findings,
    close: () => {
      isClosed = true
      for (const socket of sockets) socket.terminate()
    }
  }
}
