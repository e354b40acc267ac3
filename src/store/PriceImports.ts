/** How prices come into their table, and how far each of their sources was read. */
import { Context, Effect, Layer, Metric } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { Day, PriceSource } from "../domain/Market.ts"
import { pgArray, pgColumn } from "./PgArray.ts"

/** Averages of one day in columns of the same length, ISK a unit. */
export interface DayPrices {
  readonly day: Day
  readonly typeIds: Int32Array
  readonly averages: Float64Array
}

/** Which file of a day was read. */
export interface FileMark {
  readonly etag: string | null
  /** What EVE Ref's listing said of it; null when it did not come from there. */
  readonly listed: string | null
}

export interface CcpPrice {
  readonly type_id: number
  readonly adjusted_price?: number | undefined
  readonly average_price?: number | undefined
}

const stored = Metric.counter("killmaild_prices_stored_total", {
  description: "Daily averages that were new or changed, by source",
  incremental: true
})
const countStored = (source: PriceSource, prices: number) =>
  Metric.update(Metric.withAttributes(stored, { source }), prices)

/** Days that ESI is not asked again about a type, whatever it answered. */
const daysBetweenRequests = 30
/** Days of killmails whose types are looked at for missing prices. */
const daysOfLosses = 3

/** What it changes is told in `price_arrivals`, in the same transaction. */
export class PriceImports extends Context.Service<PriceImports, {
  /** Which files of these days, both included, were read. */
  readonly importedDays: (first: Day, last: Day) => Effect.Effect<ReadonlyMap<Day, FileMark>, SqlError.SqlError>
  /** Stores a day's file in one transaction; its prices replace what was there. Returns how many prices that changed. */
  readonly importDay: (prices: DayPrices, file: FileMark) => Effect.Effect<number, SqlError.SqlError>
  /** The listing says something else of a day whose file is the one that was read. */
  readonly confirmDay: (day: Day, listed: string) => Effect.Effect<void, SqlError.SqlError>
  /** A type's averages from ESI, none when it knows none; they fill gaps only. Returns how many were new. */
  readonly addHistory: (
    typeId: number,
    averages: ReadonlyArray<{ readonly day: Day; readonly average: number }>
  ) => Effect.Effect<number, SqlError.SqlError>
  readonly putCcpPrices: (prices: ReadonlyArray<CcpPrice>) => Effect.Effect<void, SqlError.SqlError>
  /** Types lost lately that are traded, have no average at all, and that ESI was not asked for lately. */
  readonly typesToAsk: (most: number) => Effect.Effect<ReadonlyArray<number>, SqlError.SqlError>
}>()("killmaild/store/PriceImports") {
  static readonly layer = Layer.effect(
    PriceImports,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const importedDays: PriceImports["Service"]["importedDays"] = (first, last) =>
        Effect.map(
          sql<FileMark & { day: Day }>`
            select day, etag, listed from price_days where day between ${first}::date and ${last}::date`,
          (rows) => new Map(rows.map(({ day, etag, listed }) => [day, { etag, listed }]))
        )

      const arrive = (firstDay: Day, typeIds: ReadonlyArray<number> | null) =>
        sql`
          insert into price_arrivals (first_day, type_ids)
          values (${firstDay}::date, ${typeIds === null ? null : pgArray(typeIds)}::integer[])`

      const importDay: PriceImports["Service"]["importDay"] = Effect.fn("PriceImports.importDay")(
        function*({ averages, day, typeIds }, { etag, listed }) {
          const [written] = yield* sql<{ changed: ReadonlyArray<number> }>`
            with written as (
              insert into prices (type_id, day, average)
              select type_id, ${day}::date, average
              from unnest(${pgArray([...typeIds])}::integer[], ${pgArray([...averages])}::float8[])
                as price(type_id, average)
              on conflict (type_id, day) do update
              set average = excluded.average, from_esi = null
              where prices.average <> excluded.average or prices.from_esi
              returning type_id, old.average as before, new.average as after
            )
            select coalesce(array_agg(type_id) filter (where before is distinct from after), '{}') as changed
            from written`
          const { changed } = written!
          const [file] = yield* sql<{ isNew: boolean }>`
            insert into price_days (day, prices, etag, listed)
            values (${day}::date, ${typeIds.length}, ${etag}, ${listed})
            on conflict (day) do update
            set prices = excluded.prices, etag = excluded.etag, listed = excluded.listed, imported_at = now()
            returning old.day is null as "isNew"`
          if (changed.length > 0) yield* arrive(day, file!.isNew ? null : changed)
          return changed.length
        },
        (transaction) => Effect.tap(sql.withTransaction(transaction), (changed) => countStored("everef", changed))
      )

      const confirmDay: PriceImports["Service"]["confirmDay"] = (day, listed) =>
        Effect.asVoid(sql`update price_days set listed = ${listed} where day = ${day}::date`)

      const addHistory: PriceImports["Service"]["addHistory"] = Effect.fn("PriceImports.addHistory")(
        function*(typeId, averages) {
          const added = yield* sql<{ day: Day }>`
            insert into prices (type_id, day, average, from_esi)
            select ${typeId}, day, average, true
            from unnest(
              ${pgColumn(averages, ({ day }) => day)}::date[],
              ${pgColumn(averages, ({ average }) => average)}::float8[]
            ) as price(day, average)
            on conflict do nothing
            returning day`
          yield* sql`
            insert into price_requests (type_id, found)
            values (${typeId}, ${averages.length > 0})
            on conflict (type_id) do update set found = excluded.found, asked_at = excluded.asked_at`
          const [first] = added.map(({ day }) => day).toSorted()
          if (first !== undefined) yield* arrive(first, [typeId])
          return added.length
        },
        (transaction) => Effect.tap(sql.withTransaction(transaction), (added) => countStored("esi", added))
      )

      const putCcpPrices: PriceImports["Service"]["putCcpPrices"] = (prices) =>
        Effect.asVoid(sql`
          insert into ccp_prices (type_id, adjusted_price, average_price, day)
          select type_id, adjusted, average, (now() at time zone 'UTC')::date
          from unnest(
            ${pgColumn(prices, ({ type_id }) => type_id)}::integer[],
            ${pgColumn(prices, ({ adjusted_price }) => adjusted_price)}::float8[],
            ${pgColumn(prices, ({ average_price }) => average_price)}::float8[]
          ) as price(type_id, adjusted, average)
          on conflict (type_id) do update
          set adjusted_price = excluded.adjusted_price, average_price = excluded.average_price, day = excluded.day`)

      const typesToAsk: PriceImports["Service"]["typesToAsk"] = (most) =>
        Effect.map(
          sql<{ type_id: number }>`
            select type_id
            from (
              select victim_ship_type_id as type_id from killmails
              where killmail_time > now() - ${daysOfLosses} * interval '1 day'
              union
              select item_type_id from items
              where killmail_time > now() - ${daysOfLosses} * interval '1 day'
            ) as lost
            join ccp_prices using (type_id)
            where average_price > 0
              and not exists (select from prices where prices.type_id = lost.type_id)
              and not exists (
                select from price_requests
                where price_requests.type_id = lost.type_id
                  and asked_at > now() - ${daysBetweenRequests} * interval '1 day'
              )
            order by average_price desc
            limit ${most}`,
          (rows) => rows.map(({ type_id }) => type_id)
        )

      return PriceImports.of({ importedDays, importDay, confirmDay, addHistory, putCcpPrices, typesToAsk })
    })
  )
}
