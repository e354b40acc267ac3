/**
 * What was sold in The Forge on each day, as ESI and EVE Ref tell it. In the world of the clock everything is worth every
 * day what `Worth.ts` says, so that killmails get the values that the sandbox's zKillboard gives them; in the manual world
 * there is only what a test publishes.
 */
import { capsule, isType, pirates, typeIds } from "./Gazetteer.ts"
import { hangar } from "./Hangar.ts"
import { drawOf } from "./Random.ts"
import { worthOf } from "./Worth.ts"

/** Days since 1970, UTC. */
type DayNumber = number

export const dayMillis = 86_400_000
/** EVE's market keeps no day before 2003-10-01. */
export const firstDay: DayNumber = Date.UTC(2003, 9, 1) / dayMillis

export const dayOf = (day: DayNumber): string => new Date(day * dayMillis).toISOString().slice(0, 10)
export const dayNumberOf = (text: string): DayNumber => Date.parse(text) / dayMillis

export interface Sale {
  readonly typeId: number
  /** ISK a unit. */
  readonly average: number
}

export interface Market {
  /** What EVE Ref's file of a day holds of The Forge; nothing while there is no file. */
  readonly archived: (day: DayNumber, now: number) => ReadonlyArray<Sale> | undefined
  /** How many sales each archived day has. */
  readonly archivedDays: (now: number) => ReadonlyMap<DayNumber, number>
  /** What ESI knows of one type, by day. */
  readonly history: (typeId: number, now: number) => ReadonlyMap<DayNumber, number>
  /** CCP's list: the average of what is traded, 0 for what is not. */
  readonly listed: () => ReadonlyMap<number, number>
}

/** Both begin with a new day after the downtime; EVE Ref needs half an hour for its first file. */
const esiAt = 11 * 3_600_000 + 5 * 60_000
const archiveAt = esiAt + 1_800_000
/** ESI's history: about 13 months. */
const daysOfHistory = 400

/** Every second type has one day in this many on which nobody buys it. */
const daysBetweenDaysOff = 14

const newest = (now: number, at: number): DayNumber => Math.floor((now - at) / dayMillis) - 1

export const clockMarket = (seed: string): Market => {
  const traded = [...typeIds].filter((typeId) => !neverSold.has(typeId))
  const foundByEveRef = traded.filter((typeId) => drawOf(seed, "unknown to EVE Ref", typeId) > 0.02)
  const isFoundLate = (typeId: number) => drawOf(seed, "late", typeId) < 0.03
  const isSold = (typeId: number, day: DayNumber) =>
    day % daysBetweenDaysOff !== Math.floor(drawOf(seed, "day off", typeId) * 2 * daysBetweenDaysOff)
  const averageOf = (typeId: number, day: DayNumber) =>
    drawOf(seed, "manipulated", typeId, day) < 0.003 ? worthOf(typeId) * 20 : worthOf(typeId)

  /** A file is complete a day after it appeared. */
  const typesIn = (day: DayNumber, isNewest: boolean) =>
    foundByEveRef.filter((typeId) => isSold(typeId, day) && !(isNewest && isFoundLate(typeId)))

  return {
    archived: (day, now) => {
      const last = newest(now, archiveAt)
      return day < firstDay || day > last
        ? undefined
        : typesIn(day, day === last).map((typeId) => ({ typeId, average: averageOf(typeId, day) }))
    },
    archivedDays: (now) => {
      const last = newest(now, archiveAt)
      const sizes = Array.from({ length: daysBetweenDaysOff }, (_, day) => typesIn(day, false).length)
      const days = Array.from({ length: last - firstDay + 1 }, (_, index) => firstDay + index)
      return new Map(days.map((day) => [
        day,
        day === last ? typesIn(day, true).length : sizes[day % daysBetweenDaysOff]!
      ]))
    },
    history: (typeId, now) => {
      const last = newest(now, esiAt)
      const days = Array.from({ length: daysOfHistory }, (_, index) => last - index)
      return neverSold.has(typeId) || !isType(typeId)
        ? new Map()
        : new Map(days.filter((day) => isSold(typeId, day)).map((day) => [day, averageOf(typeId, day)]))
    },
    listed: () => new Map([...typeIds].map((typeId) => [typeId, neverSold.has(typeId) ? 0 : worthOf(typeId)]))
  }
}

const neverSold = new Set([capsule, ...pirates, ...hangar.blueprint].map(({ id }) => id))

export interface ManualMarket extends Market {
  /** A day of EVE Ref's, or another file in its place. */
  readonly publishDay: (day: string, averages: Readonly<Record<number, number>>) => void
  /** What ESI answers about a type. */
  readonly publishHistory: (typeId: number, averages: Readonly<Record<string, number>>) => void
}

export const manualMarket = (): ManualMarket => {
  const days = new Map<DayNumber, ReadonlyArray<Sale>>()
  const histories = new Map<number, ReadonlyMap<DayNumber, number>>()
  return {
    archived: (day) => days.get(day),
    archivedDays: () => new Map([...days].map(([day, sales]) => [day, sales.length])),
    history: (typeId) => histories.get(typeId) ?? new Map(),
    listed: () => new Map([...histories].map(([typeId, days]) => [typeId, Math.max(...days.values())])),
    publishDay: (day, averages) => {
      const sales = Object.entries(averages).map(([typeId, average]) => ({ typeId: Number(typeId), average }))
      days.set(dayNumberOf(day), sales)
    },
    publishHistory: (typeId, averages) => {
      histories.set(typeId, new Map(Object.entries(averages).map(([day, average]) => [dayNumberOf(day), average])))
    }
  }
}
