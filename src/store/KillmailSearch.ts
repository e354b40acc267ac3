/**
 * Finds public killmails by a filter, newest first, a page at a time. It looks through the newest months first, then through
 * those that can hold more: a statement over the 200 months of EVE's history takes long to be planned, however soon its answer
 * is found.
 */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { KillmailRow } from "../domain/Document.ts"
import type { Filter } from "../domain/Filter.ts"
import { normaliseTime } from "../domain/Killmail.ts"
import { type ActiveMonth, activeMonths, leadingDriver } from "./ActiveMonths.ts"
import { type Driver, inSpan, instantOf, type Path, pathsOf, type Span } from "./FilterSql.ts"
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
  /** Without attackers there is only who fired the final blow; where hundreds did, that is most of the work. */
  readonly attackers?: boolean | undefined
  /** Milliseconds after which a page ends with what was found, however little. */
  readonly patienceMillis?: number | undefined
}

export interface Page {
  readonly rows: ReadonlyArray<KillmailRow>
  /** What the next page comes after; undefined where all was looked through. */
  readonly next: Place | undefined
}

/** A filter that fits next to nothing looks through all there is: a page at a time, each soon enough for a client. */
const usualPatience = 1500
/** Milliseconds that one look may take before the next ones are shorter. */
const longLook = 400

/** Months that are looked through first, before anybody is asked in which months there is something. */
const recentMonths = 2
/** At most so many months are looked through together. */
const longestSpan = 24
/** From one span to the next, how many killmails more, or months where those are not known, are looked through. */
const growth = 4

/** EVE opened in May 2003. */
const firstMillis = Date.UTC(2003, 4, 1)
/** No killmail is further in the future. */
const aheadMillis = 63 * 86_400_000

export class KillmailSearch extends Context.Service<KillmailSearch, {
  /**
   * What fits and is older than `after`, at most `limit`, newest first. Pages that follow one another show everything once,
   * whatever arrives meanwhile.
   */
  readonly page: (filter: Filter, options: PageOptions) => Effect.Effect<Page, SqlError.SqlError>
}>()("killmaild/store/KillmailSearch") {
  static readonly layer = Layer.effect(
    KillmailSearch,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      /** The places of one path within a span, in order. */
      const placesOn = ({ from, ofAttackers, ofKillmail }: Path, span: Span, { after, limit }: Wanted) => {
        const table = from === "killmails" ? "mail" : "part"
        const column = (name: string) => sql.literal(`${table}.${name}`)
        // The killmail itself is wanted only where something is asked of it.
        const joined = from === "attackers" && ofKillmail.length > 0
          ? sql`join killmails mail on mail.killmail_time = part.killmail_time and mail.killmail_id = part.killmail_id
              and ${inSpan(sql, "mail.killmail_time", span)}`
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
          where ${inSpan(sql, `${table}.killmail_time`, span)}
            and (ledger.sequence is not null or ledger.visible_from <= now())
            and ${sql.and([...older, ...ofAttackers, ...ofKillmail])}
          order by 1 desc, 2 desc
          limit ${limit}
        )`
      }

      const placesIn = (filter: Filter, driver: Driver | undefined, span: Span, wanted: Wanted) =>
        sql<Place>`
          select to_json(killmail_time) #>> '{}' as killmail_time, killmail_id::float8 as killmail_id
          from (
            ${
          sql.join(" union ", false)(pathsOf(sql, filter, span, driver).map((path) => placesOn(path, span, wanted)))
        }
          ) found
          order by found.killmail_time desc, found.killmail_id desc
          limit ${wanted.limit}`

      const killmailsAt = (places: ReadonlyArray<Place>, { attackers, items }: PageOptions) => {
        const times = pgColumn(places, (place) => place.killmail_time)
        const within = (column: string) => sql`${sql.literal(column)} = any(${times}::timestamptz[])`
        return sql<KillmailRow>`
          select ${killmailColumns(sql, { attackers, items, within })}
          from unnest(
            ${times}::timestamptz[],
            ${pgColumn(places, (place) => place.killmail_id)}::bigint[]
          ) as place(killmail_time, killmail_id)
          join killmails mail using (killmail_time, killmail_id)
          join killmail_ledger ledger on ledger.killmail_id = place.killmail_id
          where ${within("mail.killmail_time")}
          order by place.killmail_time desc, place.killmail_id desc`
      }

      const page = Effect.fn("KillmailSearch.page")(function*(filter: Filter, options: PageOptions) {
        const { after, limit, patienceMillis = usualPatience } = options
        const began = performance.now()
        const driver = yield* leadingDriver(sql, filter)
        const places: Array<Place> = []
        const range = rangeOf(filter, after)
        let reached = range[1]
        let mostMonths = allMonths
        const isOver = () => places.length === limit || reached < range[1] && performance.now() - began > patienceMillis
        const look = Effect.fnUntraced(function*([first, last]: Times) {
          for (let to = last; to > first && !isOver(); to = reached) {
            const lookBegan = performance.now()
            const from = Math.max(first, monthBefore(to - 1, mostMonths - 1))
            const span = { first: new Date(from).toISOString(), last: new Date(to).toISOString() }
            places.push(...(yield* placesIn(filter, driver, span, { after, limit: limit - places.length })))
            reached = from
            if (performance.now() - lookBegan > longLook) {
              mostMonths = Math.ceil(Math.min(mostMonths, monthsIn(from, to)) / growth)
            }
          }
        })
        const recent = Math.max(range[0], monthBefore(Math.min(range[1], Date.now()), recentMonths - 1))
        yield* look([recent, range[1]])
        if (!isOver() && range[0] < recent) {
          const months = yield* activeMonths(sql, filter, new Date(recent).toISOString())
          const older = [range[0], recent] as const
          yield* Effect.forEach(months === undefined ? growingSpans(older) : spansOf(months, older, limit), look)
          if (!isOver()) reached = range[0]
        }
        const rows = places.length === 0 ? [] : yield* killmailsAt(places, options)
        return {
          rows,
          next: places.length === limit ? placeOf(rows.at(-1)!) : reached > range[0] ? startOf(reached) : undefined
        }
      })

      return KillmailSearch.of({ page })
    })
  )
}

type Wanted = Pick<PageOptions, "after" | "limit">

/** Milliseconds since 1970: from the first up to, not including, the second. */
type Times = readonly [from: number, to: number]

/** More than there are. */
const allMonths = 1200
const monthMillis = 28 * 86_400_000
const monthsIn = (from: number, to: number): number => Math.ceil((to - from) / monthMillis)

/** Before everything of this moment or later. */
const startOf = (millis: number): Place => ({
  killmail_time: normaliseTime(new Date(millis).toISOString()),
  killmail_id: 0
})

const millisOf = (moment: string | undefined, otherwise: number): number =>
  moment === undefined ? otherwise : Date.parse(instantOf(moment))

/** The first of the month so many months before. */
const monthBefore = (millis: number, months: number): number => {
  const day = new Date(millis)
  return Date.UTC(day.getUTCFullYear(), day.getUTCMonth() - months, 1)
}

/** What the filter and the page before leave. */
const rangeOf = (filter: Filter, after: Place | undefined): Times => {
  const ahead = Date.now() + aheadMillis
  const first = Math.max(firstMillis, millisOf(filter.since, firstMillis))
  const end = after === undefined ? ahead : Date.parse(after.killmail_time) + 1
  return [first, Math.min(ahead, end, millisOf(filter.until, ahead))]
}

/** All of it, newest first, each span longer than the one before. */
const growingSpans = ([first, last]: Times): ReadonlyArray<Times> => {
  const spans: Array<Times> = []
  let to = last
  for (let months = recentMonths * growth; to > first; months *= growth) {
    const from = Math.max(first, monthBefore(to - 1, months - 1))
    spans.push([from, to])
    to = from
  }
  return spans
}

/**
 * Months with something, newest first, as few spans: those that are near each other are looked through together until they
 * hold as much as is wanted, as far as that is known, and more each time that it was not enough.
 */
const spansOf = (months: ReadonlyArray<ActiveMonth>, [first, last]: Times, limit: number): ReadonlyArray<Times> => {
  const spans: Array<[from: number, to: number]> = []
  let wanted = limit
  let held = 0
  for (const { killmails, month } of months) {
    const from = Math.max(first, Date.parse(month))
    const to = Math.min(last, monthBefore(Date.parse(month), -1))
    if (from >= to) continue
    const span = spans.at(-1)
    const isNear = span !== undefined && monthBefore(span[1] - 1, longestSpan - 1) <= from &&
      monthBefore(span[0], 3) <= from
    if (isNear && held < wanted) {
      span[0] = from
      held += killmails
    } else {
      if (held >= wanted) wanted *= growth
      spans.push([from, to])
      held = killmails
    }
  }
  return spans
}

const placeOf = ({ killmail_id, killmail_time }: KillmailRow): Place => ({
  killmail_id,
  killmail_time: normaliseTime(killmail_time)
})
