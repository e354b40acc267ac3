/** What the rules of this folder need to know of prices. */

/** A calendar day of EVE (UTC), `YYYY-MM-DD`. */
export type Day = string

/** Whether there is such a day in the calendar. */
export const isDay = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && new Date(`${text}T00:00:00Z`).toJSON()?.startsWith(text) === true

/** Where an average came from. */
export type PriceSource = "everef" | "esi"

/** What one unit cost on one day: The Forge's (region 10000002) volume-weighted daily average, in ISK. */
export interface DailyAverage {
  readonly day: Day
  readonly average: number
  readonly source: PriceSource
}

export interface CustomPrice {
  /** ISK a unit. */
  readonly price: number
  readonly reason: string
}

/** What a valuation asks of the market. Everything it may ask was loaded beforehand: a rule never waits. */
export interface MarketFacts {
  /** Up to 34 averages on or before the day, newest first. */
  readonly averages: (typeId: number, day: Day) => ReadonlyArray<DailyAverage>
  /** The operator's or a well-known exception that holds on the day. */
  readonly custom: (typeId: number, day: Day) => CustomPrice | undefined
}
