/**
 * zKillboard's lists of days that are over, on R2Z2 beside the live feed and within the same budget. A list comes some six
 * hours after its day, and is written anew when killmails come late.
 */
import { Context, Effect, Layer, type Option, Schema } from "effect"
import type { Day } from "../domain/Market.ts"
import { Settings } from "../Settings.ts"
import { countsByDay, Totals } from "./DayCounts.ts"
import { makePoliteClient, presentOr, type UpstreamError } from "./PoliteClient.ts"

/** Requests of the feed and for its history, over all replicas, at so many a second. */
export const r2z2Budget = (rate: number) =>
  rate >= 1
    ? { bucket: "r2z2", limit: Math.floor(rate), windowMillis: 1000 }
    : { bucket: "r2z2", limit: 1, windowMillis: Math.ceil(1000 / rate) }

/** Milliseconds; the bodies of a day are tens of megabytes. */
const deadlineMillis = 120_000
/** A refusal may be a ban of the address, for minutes to an hour. */
const refusedMillis = 300_000
/** Of the busiest days in EVE's history, whose bodies would be about 150 MB. */
const mostBytes = 256 * 1024 * 1024

const Hashes = Schema.fromJsonString(Schema.Record(Schema.String, Schema.String))

export class ZkbHistory extends Context.Service<ZkbHistory, {
  /** How many killmails each day has. */
  readonly totals: Effect.Effect<ReadonlyMap<Day, number>, UpstreamError>
  /** The hashes of a day's killmails, by id; none while there is no list of it. */
  readonly hashes: (day: Day) => Effect.Effect<Option.Option<Readonly<Record<string, string>>>, UpstreamError>
  /** The file of ESI's bodies of a day's killmails, `{"137259365": {…}, …}`; none where there is none. */
  readonly file: (day: Day) => Effect.Effect<Option.Option<Buffer>, UpstreamError>
}>()("killmaild/upstreams/ZkbHistory") {
  static readonly layer = Layer.effect(
    ZkbHistory,
    Effect.gen(function*() {
      const { r2z2Rate, r2z2Url } = yield* Settings
      const client = yield* makePoliteClient({
        name: "R2Z2",
        base: r2z2Url,
        budget: r2z2Budget(r2z2Rate),
        deadlineMillis,
        mostBytes,
        refusedMillis
      })

      const totals = client.json("/history/totals.json", Totals).pipe(
        Effect.flatMap(presentOr("R2Z2 has no /history/totals.json.")),
        Effect.map((counts) => countsByDay(Object.entries(counts)))
      )

      return ZkbHistory.of({
        totals,
        hashes: (day) => client.json(`/history/${nameOf(day)}`, Hashes),
        file: (day) => client.get(`/history/raw/${nameOf(day)}`)
      })
    })
  )
}

const nameOf = (day: Day): string => `${day.replaceAll("-", "")}.json`

export interface BodyText {
  readonly killmail_id: number
  readonly text: string
}

const [quote, backslash, open, close] = [...Buffer.from(`"\\{}`)] as [number, number, number, number]

/**
 * The members of `{"137259365": {…}, …}` in turn: as one value, a day would take hundreds of megabytes and block the process
 * for a second. Ends where the text is cut off.
 */
export function* bodiesIn(bytes: Uint8Array): Generator<BodyText> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let depth = 0
  let name = { from: 0, to: 0 }
  let from = 0
  for (let at = 0; at < buffer.length; at++) {
    const byte = buffer[at]
    if (byte === quote) {
      const end = endOfString(buffer, at)
      if (depth === 1) name = { from: at + 1, to: end }
      at = end
    } else if (byte === open && ++depth === 2) from = at
    else if (byte === close && --depth === 1) {
      yield {
        killmail_id: Number(buffer.toString("latin1", name.from, name.to)),
        text: buffer.toString("utf8", from, at + 1)
      }
    }
  }
}

/** Where the string that begins here has its closing quote. */
const endOfString = (buffer: Buffer, begin: number): number => {
  for (let at = begin + 1; at < buffer.length; at++) {
    if (buffer[at] === backslash) at++
    else if (buffer[at] === quote) return at
  }
  return buffer.length
}
