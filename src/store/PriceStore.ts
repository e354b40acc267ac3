/** What things cost, as rows: The Forge's daily averages, the exceptions to them, and the news of either. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { CustomPrice, DailyAverage, Day } from "../domain/Market.ts"
import type { WellKnownPrice } from "../domain/WellKnownPrices.ts"
import { pgColumn } from "./PgArray.ts"

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

/** From this day on these types may cost something else than before; null is every type with a price of that day. */
export interface PriceArrival {
  readonly firstDay: Day
  readonly typeIds: ReadonlyArray<number> | null
}

/** Whoever valued a killmail at the prices of before has stored it by then. */
const settledAfter = "10 seconds"

export class PriceStore extends Context.Service<PriceStore, {
  /** One answer a need, in any order. */
  readonly factsFor: (needs: ReadonlyArray<PriceNeed>) => Effect.Effect<ReadonlyArray<PriceFacts>, SqlError.SqlError>
  /** Another number after every arrival of prices. */
  readonly version: Effect.Effect<number, SqlError.SqlError>
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
