/** What the statistics say: of one entity by period, and who is on top. */
import { Cache, Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { Day } from "../domain/Market.ts"
import { type Counter, counters, type Counts, type StatisticsKind } from "../domain/Statistics.ts"
import { pgArray } from "./PgArray.ts"

/** The newest first; a period without a killmail is absent. */
export interface EntityStatistics {
  readonly all: Counts
  /** `YYYY-MM`. */
  readonly months: ReadonlyArray<Counts & { readonly month: string }>
  /** Of the last 400 days. */
  readonly days: ReadonlyArray<Counts & { readonly day: Day }>
}

export interface TopList {
  readonly kind: StatisticsKind
  readonly by: Counter
  /** The last so many days, today included; null is all time. */
  readonly days: number | null
  readonly limit: number
}

export interface TopRow {
  readonly id: number
  readonly value: number
}

/** Who asks again within a minute gets the same list: all time is millions of rows. */
const keptFor = "1 minute"
const mostKept = 500

export class StatisticsReader extends Context.Service<StatisticsReader, {
  /** Zeros for one that was on no killmail. */
  readonly of: (kind: StatisticsKind, id: number) => Effect.Effect<EntityStatistics, SqlError.SqlError>
  /** The same of several, in one statement. */
  readonly ofAll: (
    kind: StatisticsKind,
    ids: ReadonlyArray<number>
  ) => Effect.Effect<ReadonlyMap<number, EntityStatistics>, SqlError.SqlError>
  /** The most first, of players' characters, corporations and alliances only; up to a minute old. */
  readonly top: (list: TopList) => Effect.Effect<ReadonlyArray<TopRow>, SqlError.SqlError>
}>()("killmaild/store/StatisticsReader") {
  static readonly layer = Layer.effect(
    StatisticsReader,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const ofAll: StatisticsReader["Service"]["ofAll"] = Effect.fn("StatisticsReader.ofAll")(function*(kind, ids) {
        const rows = yield* sql<Row>`
          select id::float8 as id, period, start::text as start,
            ${sql.literal(counters.map((name) => `${name}::float8`).join(", "))}
          from statistics
          where kind = ${kind}::statistics_kind and id = any(${pgArray(ids)}::bigint[])
            and (period <> 'day' or start > (now() at time zone 'UTC')::date - 400)
          order by statistics.start desc`
        const rowsOf = Map.groupBy(rows, ({ id }) => id)
        return new Map(ids.map((id) => [id, statisticsOf(rowsOf.get(id) ?? [])]))
      })

      const read = Effect.fn("StatisticsReader.top")(function*({ by, days, kind, limit }: TopList) {
        const span = days === null
          ? sql`period = 'all'`
          : sql`period = 'day' and start > (now() at time zone 'UTC')::date - ${days}::integer`
        return yield* sql<TopRow>`
          select id::float8 as id, sum(${sql(by)})::float8 as value
          from statistics
          where ${span} and kind = ${kind}::statistics_kind
            and (kind in ('type', 'system', 'region') or is_player(id))
          group by statistics.id
          having sum(${sql(by)}) > 0
          order by value desc, statistics.id
          limit ${limit}`
      })

      const lists = yield* Cache.make({
        lookup: (key: string) => read(JSON.parse(key) as TopList),
        capacity: mostKept,
        timeToLive: keptFor
      })
      const top: StatisticsReader["Service"]["top"] = ({ by, days, kind, limit }) =>
        Cache.get(lists, JSON.stringify({ by, days, kind, limit }))

      return StatisticsReader.of({
        of: (kind, id) => Effect.map(ofAll(kind, [id]), (found) => found.get(id)!),
        ofAll,
        top
      })
    })
  )
}

interface Row extends Counts {
  readonly id: number
  readonly period: "day" | "month" | "all"
  readonly start: Day
}

const countsFrom = (count: (counter: Counter) => number) =>
  Object.fromEntries(counters.map((counter) => [counter, count(counter)])) as Record<Counter, number>
const countsOf = (row: Row): Counts => countsFrom((counter) => row[counter])
const nothing: Counts = countsFrom(() => 0)

const statisticsOf = (rows: ReadonlyArray<Row>): EntityStatistics => {
  const those = (wanted: Row["period"]) => rows.filter(({ period }) => period === wanted)
  const [all] = those("all")
  return {
    all: all === undefined ? nothing : countsOf(all),
    months: those("month").map((row) => ({ month: row.start.slice(0, 7), ...countsOf(row) })),
    days: those("day").map((row) => ({ day: row.start, ...countsOf(row) }))
  }
}
