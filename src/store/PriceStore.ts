/** Prices as rows: The Forge's daily averages, the exceptions to them, and how far each source was read. */
import { Context, Effect, Layer, Metric } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { CustomPrice, DailyAverage, Day, PriceSource } from "../domain/Market.ts"
import type { WellKnownPrice } from "../domain/WellKnownPrices.ts"
import { pgArray, pgColumn } from "./PgArray.ts"

/** What a valuation wants to know the price of. */
export interface PriceNeed {
  readonly typeId: number
  readonly day: Day
}

export interface PriceFacts extends PriceNeed {
  /** Up to `mostAverages` on or before the day, newest first. */
  readonly averages: ReadonlyArray<DailyAverage>
  readonly custom: CustomPrice | undefined
}

/** As many as zKillboard's rule smooths. */
export const mostAverages = 34

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

/** From this day on these types may cost something else than before; null is every type with a price of that day. */
export interface PriceArrival {
  readonly firstDay: Day
  readonly typeIds: ReadonlyArray<number> | null
}

/** Days that ESI is not asked again about a type, whatever it answered. */
const daysBetweenRequests = 30
/** Days of killmails whose types are looked at for missing prices. */
const daysOfLosses = 3
/** Whoever valued a killmail at the prices of before has stored it by then. */
const settledAfter = "10 seconds"

export class PriceStore extends Context.Service<PriceStore, {
  /** One answer a need, in any order. */
  readonly factsFor: (needs: ReadonlyArray<PriceNeed>) => Effect.Effect<ReadonlyArray<PriceFacts>, SqlError.SqlError>
  /** Another number after every arrival of prices. */
  readonly version: Effect.Effect<number, SqlError.SqlError>
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
  /**
   * Hands over the oldest arrivals, and forgets them when what was done with them commits. Only those that every process
   * has heard of: what is valued after this call, at `Prices` that know the present version, is valued at them.
   */
  readonly handArrivals: <E, R>(
    most: number,
    take: (arrivals: ReadonlyArray<PriceArrival>) => Effect.Effect<void, E, R>
  ) => Effect.Effect<void, SqlError.SqlError | E, R>
}>()("killmaild/store/PriceStore") {
  static readonly layer = Layer.effect(
    PriceStore,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const factsFor: PriceStore["Service"]["factsFor"] = (needs) =>
        Effect.map(
          sql<FactsRow>`
            select need.type_id, need.day, newest.*, custom.*
            from unnest(
              ${pgColumn(needs, ({ typeId }) => typeId)}::integer[],
              ${pgColumn(needs, ({ day }) => day)}::date[]
            ) as need(type_id, day)
            cross join lateral (
              select array_agg(day) as days, array_agg(average) as averages, array_agg(from_esi) as from_esi
              from (
                select day, average, from_esi from prices
                where type_id = need.type_id and day <= need.day
                order by day desc
                limit ${mostAverages}
              ) as newest
            ) as newest
            left join lateral (
              select price, reason from custom_prices
              where type_id = need.type_id and need.day between valid_from and valid_until
              order by well_known, valid_from desc
              limit 1
            ) as custom on true`,
          (rows) => rows.map(factsOf)
        )

      const version = Effect.map(
        sql<{ version: number }>`select version::float8 as version from price_version`,
        ([row]) => row!.version
      )

      const importedDays: PriceStore["Service"]["importedDays"] = (first, last) =>
        Effect.map(
          sql<FileMark & { day: Day }>`
            select day, etag, listed from price_days where day between ${first}::date and ${last}::date`,
          (rows) => new Map(rows.map(({ day, etag, listed }) => [day, { etag, listed }]))
        )

      const arrive = (firstDay: Day, typeIds: ReadonlyArray<number> | null) =>
        sql`
          insert into price_arrivals (first_day, type_ids)
          values (${firstDay}::date, ${typeIds === null ? null : pgArray(typeIds)}::integer[])`

      const importDay: PriceStore["Service"]["importDay"] = Effect.fn("PriceStore.importDay")(
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

      const confirmDay: PriceStore["Service"]["confirmDay"] = (day, listed) =>
        Effect.asVoid(sql`update price_days set listed = ${listed} where day = ${day}::date`)

      const addHistory: PriceStore["Service"]["addHistory"] = Effect.fn("PriceStore.addHistory")(
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

      const putCcpPrices: PriceStore["Service"]["putCcpPrices"] = (prices) =>
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

      const typesToAsk: PriceStore["Service"]["typesToAsk"] = (most) =>
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

      const takeArrivals = (most: number) =>
        sql<PriceArrival>`
          delete from price_arrivals
          where id in (
            select id from price_arrivals
            where at < clock_timestamp() - ${settledAfter}::interval
            order by id
            limit ${most}
            for update skip locked
          )
          returning first_day as "firstDay", type_ids as "typeIds"`

      return PriceStore.of({
        factsFor,
        version,
        importedDays,
        importDay,
        confirmDay,
        addHistory,
        putCcpPrices,
        typesToAsk,
        handArrivals: (most, take) => sql.withTransaction(Effect.flatMap(takeArrivals(most), take))
      })
    })
  )
}

interface FactsRow {
  readonly type_id: number
  readonly day: Day
  /** Arrays of the same length, newest first; null when there is no average. */
  readonly days: ReadonlyArray<Day> | null
  readonly averages: ReadonlyArray<number>
  readonly from_esi: ReadonlyArray<boolean | null>
  readonly price: number | null
  readonly reason: string | null
}

const factsOf = (row: FactsRow): PriceFacts => ({
  typeId: row.type_id,
  day: row.day,
  averages: (row.days ?? []).map((day, index) => ({
    day,
    average: row.averages[index]!,
    source: row.from_esi[index] === true ? "esi" : "everef"
  })),
  custom: row.price === null ? undefined : { price: row.price, reason: row.reason! }
})

/** Makes these the well-known exceptions, and touches no row of an operator, nor one that is right already. */
export const putWellKnownPrices = Effect.fnUntraced(function*(prices: ReadonlyArray<WellKnownPrice>) {
  const sql = yield* SqlClient.SqlClient
  // Two daemons that start at once.
  yield* sql`lock table custom_prices in share row exclusive mode`
  yield* sql`
    merge into custom_prices using (
      select *
      from unnest(
        ${pgColumn(prices, ({ type_id }) => type_id)}::integer[],
        ${pgColumn(prices, ({ valid_from }) => valid_from ?? "-infinity")}::date[],
        ${pgColumn(prices, ({ valid_until }) => valid_until ?? "infinity")}::date[],
        ${pgColumn(prices, ({ price }) => price)}::float8[],
        ${pgColumn(prices, ({ reason }) => reason)}::text[]
      ) as price(type_id, valid_from, valid_until, price, reason)
    ) as known
    on custom_prices.well_known
      and custom_prices.type_id = known.type_id
      and custom_prices.valid_from = known.valid_from
    when not matched by target then
      insert (type_id, valid_from, valid_until, price, reason, well_known)
      values (known.type_id, known.valid_from, known.valid_until, known.price, known.reason, true)
    when matched and (custom_prices.valid_until, custom_prices.price, custom_prices.reason)
      is distinct from (known.valid_until, known.price, known.reason) then
      update set valid_until = known.valid_until, price = known.price, reason = known.reason
    when not matched by source and well_known then
      delete`
}, (transaction) => Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(transaction)))
