/**
 * Finds public killmails by a filter, newest first, a page at a time. It looks through the newest months first: a statement
 * over the 200 months of EVE's history takes long to be planned, however soon its answer is found.
 */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { KillmailRow } from "../domain/Document.ts"
import type { Filter } from "../domain/Filter.ts"
import { normaliseTime } from "../domain/Killmail.ts"
import { activeMonths, monthsWithDays } from "./ActiveMonths.ts"
import { driverOf, instantOf, type Path, pathsOf } from "./FilterSql.ts"
import { killmailColumns } from "./KillmailReader.ts"
import { pgColumn } from "./PgArray.ts"

/** Where a page ended: killmails are ordered by time, then id. */
export interface Place {
  readonly killmail_time: string
  readonly killmail_id: number
}

export interface PageOptions {
  /** Where the page before ended; without it, the page begins with the newest. */
  readonly after?: Place | undefined
  readonly limit: number
  /** Without items their list is empty; that is half the work. */
  readonly items?: boolean | undefined
}

/** Months that are looked through together, one such span after another, before the months of long ago. */
const recentSpans = [2, monthsWithDays - 1]
/** Of months of long ago, at most so many are looked through together. */
const longestSpan = 24

/** EVE opened in May 2003. */
const firstMillis = Date.UTC(2003, 4, 1)
/** No killmail is further in the future. */
const aheadMillis = 63 * 86_400_000

export class KillmailSearch extends Context.Service<KillmailSearch, {
  /**
   * What fits and is older than `after`, at most `limit`, newest first. Pages that follow one another show everything once,
   * whatever arrives meanwhile.
   */
  readonly page: (filter: Filter, options: PageOptions) => Effect.Effect<ReadonlyArray<KillmailRow>, SqlError.SqlError>
}>()("killmaild/store/KillmailSearch") {
  static readonly layer = Layer.effect(
    KillmailSearch,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      /** The places of one path within a span, in order. Postgres plans for its months alone. */
      const placesOn = ({ from, ofAttackers, ofKillmail }: Path, { after, first, last, limit }: Span) => {
        const table = from === "killmails" ? "mail" : "part"
        const column = (name: string) => sql.literal(`${table}.${name}`)
        // The killmail itself is wanted only where something is asked of it.
        const joined = from === "attackers" && ofKillmail.length > 0
          ? sql`join killmails mail on mail.killmail_time = part.killmail_time and mail.killmail_id = part.killmail_id
              and mail.killmail_time >= ${first}::timestamptz and mail.killmail_time < ${last}::timestamptz`
          : sql.literal("")
        const older = after === undefined ? [] : [
          sql`(${column("killmail_time")}, ${column("killmail_id")})
            < (${after.killmail_time}::timestamptz, ${BigInt(after.killmail_id)})`
        ]
        // The ledger tells what is public. Were both columns compared for equality, Postgres would expect next to nothing
        // to be left, and sort all of it for the newest ten.
        return sql`(
          select distinct ${column("killmail_time")}, ${column("killmail_id")}
          from ${sql.literal(`${from} ${table}`)}
          ${joined}
          join killmail_ledger ledger on ledger.killmail_id = ${column("killmail_id")}
            and ${column("killmail_time")} between ledger.killmail_time and ledger.killmail_time
          where ${column("killmail_time")} >= ${first}::timestamptz
            and ${column("killmail_time")} < ${last}::timestamptz
            and (ledger.sequence is not null or ledger.visible_from <= now())
            and ${sql.and([...older, ...ofAttackers, ...ofKillmail])}
          order by 1 desc, 2 desc
          limit ${limit}
        )`
      }

      const placesIn = (paths: ReadonlyArray<Path>, span: Span) =>
        sql<Place>`
          select to_json(killmail_time) #>> '{}' as killmail_time, killmail_id::float8 as killmail_id
          from (${sql.join(" union ", false)(paths.map((path) => placesOn(path, span)))}) found
          order by found.killmail_time desc, found.killmail_id desc
          limit ${span.limit}`

      const killmailsAt = (places: ReadonlyArray<Place>, items: boolean | undefined) => {
        const between = [places.at(-1)!.killmail_time, places[0]!.killmail_time] as const
        return sql<KillmailRow>`
          select ${killmailColumns(sql, { items, between })}
          from unnest(
            ${pgColumn(places, (place) => place.killmail_time)}::timestamptz[],
            ${pgColumn(places, (place) => place.killmail_id)}::bigint[]
          ) as place(killmail_time, killmail_id)
          join killmails mail using (killmail_time, killmail_id)
          join killmail_ledger ledger on ledger.killmail_id = place.killmail_id
          where mail.killmail_time between ${between[0]}::timestamptz and ${between[1]}::timestamptz
          order by place.killmail_time desc, place.killmail_id desc`
      }

      /** What may hold something older than the recent spans: all of it, or only the months in which somebody was active. */
      const olderSpans = Effect.fnUntraced(function*(filter: Filter, { earliest, last }: Range) {
        const driver = driverOf(filter)
        if (last <= earliest) return []
        if (driver === undefined) return [[earliest, last] as const]
        const months = yield* activeMonths(sql, driver, filter[driver]!, new Date(last).toISOString())
        return spansOf(months.map(({ month }) => Date.parse(month)), { earliest, last })
      })

      const page = Effect.fn("KillmailSearch.page")(function*(filter: Filter, { after, items, limit }: PageOptions) {
        const paths = pathsOf(sql, filter)
        const places: Array<Place> = []
        const look = Effect.fnUntraced(function*(spans: ReadonlyArray<Times>) {
          for (const [from, to] of spans) {
            if (places.length === limit) return
            const [first, last] = [new Date(from).toISOString(), new Date(to).toISOString()]
            places.push(...(yield* placesIn(paths, { after, first, last, limit: limit - places.length })))
          }
        })
        const { older, recent } = rangesOf(filter, after)
        yield* look(recent)
        if (places.length < limit) yield* look(yield* olderSpans(filter, older))
        return places.length === 0 ? [] : yield* killmailsAt(places, items)
      })

      return KillmailSearch.of({ page })
    })
  )
}

/** Times from `first` up to, not including, `last`. */
interface Span {
  readonly after: Place | undefined
  readonly first: string
  readonly last: string
  readonly limit: number
}

const millisOf = (moment: string | undefined, otherwise: number): number =>
  moment === undefined ? otherwise : Date.parse(instantOf(moment))

/** Milliseconds since 1970: from the first up to, not including, the second. */
type Times = readonly [from: number, to: number]

interface Range {
  readonly earliest: number
  readonly last: number
}

const monthBefore = (millis: number, months: number): number => {
  const day = new Date(millis)
  return Date.UTC(day.getUTCFullYear(), day.getUTCMonth() - months, 1)
}

/** What the filter and the page before leave, newest first: recent spans that begin with months, and what is older. */
const rangesOf = (filter: Filter, after: Place | undefined): { recent: ReadonlyArray<Times>; older: Range } => {
  const now = Date.now()
  const ahead = now + aheadMillis
  const earliest = Math.max(firstMillis, millisOf(filter.since, firstMillis))
  let last = Math.min(
    ahead,
    millisOf(filter.until, ahead),
    after === undefined ? ahead : Date.parse(after.killmail_time) + 1
  )
  const recent: Array<Times> = []
  for (const months of recentSpans) {
    if (last <= earliest) break
    const first = Math.max(earliest, monthBefore(Math.min(last, now), months - 1))
    recent.push([first, last])
    last = first
  }
  return { recent, older: { earliest, last } }
}

/** The months, newest first, as few spans: those that are near each other are looked through together. */
const spansOf = (months: ReadonlyArray<number>, { earliest, last }: Range): ReadonlyArray<Times> => {
  const spans: Array<[from: number, to: number]> = []
  for (const month of months) {
    const from = Math.max(earliest, month)
    const to = Math.min(last, monthBefore(month, -1))
    if (from >= to) continue
    const span = spans.at(-1)
    if (span !== undefined && monthBefore(span[1] - 1, longestSpan - 1) <= from && monthBefore(span[0], 3) <= from) {
      span[0] = from
    } else spans.push([from, to])
  }
  return spans
}

/** Where the page goes on that begins after this killmail. */
export const placeOf = ({ killmail_id, killmail_time }: KillmailRow): Place => ({
  killmail_id,
  killmail_time: normaliseTime(killmail_time)
})
