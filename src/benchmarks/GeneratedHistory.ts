/**
 * A history of EVE for queries: killmails over many months, recent ones fuller, made by Postgres itself. Some pilots are at
 * it all the time, most for about two years; few systems and ships see much, most see little; 4.6 attackers and 15 items on
 * average. It is the same for the same number of killmails.
 */
import { Effect, Fiber, Option } from "effect"
import { SqlClient } from "effect/sql"
import { StatisticsStore } from "../store/StatisticsStore.ts"
import type { Tell } from "./Ingest.ts"

export interface Size {
  readonly killmails: number
  readonly months: number
}

/** Beside a month's number: how full the first months are, against the last. */
const headStart = 10

/** Id of the first pilot; the first 300 are at it in all months. */
export const firstCharacter = 90_000_000
export const jita = 30_000_142

interface Month {
  /** From 0 on. */
  readonly number: number
  /** As `2026-11`. */
  readonly name: string
  readonly killmails: number
  readonly firstId: number
  readonly isNewest: boolean
}

const weightBefore = (number: number) => number * headStart + number * (number - 1) / 2

const monthsOf = ({ killmails, months }: Size): ReadonlyArray<Month> => {
  const now = new Date()
  const before = (number: number) => Math.floor(killmails * weightBefore(number) / weightBefore(months))
  return Array.from({ length: months }, (_, number) => ({
    number,
    name: new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months + number, 1)).toISOString().slice(
      0,
      7
    ),
    killmails: before(number + 1) - before(number),
    firstId: 10_000_000 + before(number),
    isNewest: number === months - 1
  }))
}

/** Says whether the database holds a whole history. */
export const isGenerated = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [found] = yield* sql<{ there: boolean }>`select to_regclass('generated_history') is not null as there`
  return found!.there
})

/** Fills the tables of an empty database, and counts the statistics meanwhile. */
export const generate = Effect.fnUntraced(function*(size: Size, tell: Tell) {
  const sql = yield* SqlClient.SqlClient
  const [newest, ...others] = monthsOf(size).toReversed()
  yield* makeNames(size.months)
  yield* fill(newest!)
  // Only the newest month was published, the others are as if imported: from here on all is counted.
  yield* sql`select restart_statistics()`
  const filling = yield* Effect.forkChild(Effect.gen(function*() {
    for (const month of others) {
      yield* fill(month)
      if (month.number % 50 === 0) yield* tell(`${month.number} months are left`)
    }
  }))
  yield* countUntil(Effect.sync(() => filling.pollUnsafe() !== undefined))
  yield* Fiber.join(filling)
  yield* sql`vacuum analyze statistics`
  yield* sql`vacuum analyze killmail_ledger`
  yield* sql`create table generated_history as select ${size.killmails}::integer as killmails`
})

/** Counts what is due, newest first, until nothing is and there is nothing more to come. */
const countUntil = Effect.fnUntraced(function*(isOver: Effect.Effect<boolean>) {
  const { recountNext } = yield* StatisticsStore
  for (;;) {
    const wasOver = yield* isOver
    const counted = yield* recountNext({ quietMillis: 0, longestMillis: 0 })
    if (Option.isSome(counted)) continue
    if (wasOver) return
    yield* Effect.sleep("100 millis")
  }
})

const makeNames = Effect.fnUntraced(function*(months: number) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    insert into characters (character_id, name, seen_at, wanted_from)
    select ${firstCharacter} + n, 'Pilot ' || n, now(), null
    from generate_series(0, ${pilotsAtOnce + months * newPilots}) n
    on conflict do nothing`
  yield* sql`
    insert into types (type_id, name, group_id, published)
    select n, 'Type ' || n, n % 50, true
    from generate_series(600, 16000) n
    on conflict do nothing`
  yield* sql`
    insert into solar_systems (solar_system_id, name, constellation_id, region_id, security)
    select n, 'System ' || n, 20000000 + n % 1000, 10000000 + n % 70, (n % 21 - 10) / 10.0
    from generate_series(30000000, 30005000) n
    on conflict do nothing`
})

/** Pilots who are at it in a month, besides those who always are, and those of them that are new in it. */
const pilotsAtOnce = 20_000
const newPilots = 700

/** A pilot's number, by chance. */
const pilotIn = ({ number }: Month): string =>
  `case when random() < 0.05 then floor(300 * random() ^ 3)
    else 300 + ${number * newPilots} + floor(${pilotsAtOnce} * random()) end::integer`
/** Of a pilot's number. */
const corporation = "98000000 + pilot / 10"
const alliance = "case when pilot % 10 > 2 then 99000000 + pilot / 500 end"
const ship = "600 + floor(400 * random() ^ 2.5)::integer"

/** One month, with its indexes, as if imported; in one transaction, which a server may then not have to log. */
const fill = Effect.fnUntraced(function*(month: Month) {
  const sql = yield* SqlClient.SqlClient
  const { firstId, killmails, name } = month
  const table = (parent: string) => sql.literal(`${parent}_${name.replace("-", "_")}`)
  const first = `${name}-01T00:00:00Z`
  yield* sql.withTransaction(Effect.gen(function*() {
    yield* sql`select create_month(${first}::date)`
    yield* sql`select setseed(${month.number / 1000}::float8)`
    yield* sql`
      insert into ${table("killmails")} (killmail_time, killmail_id, solar_system_id, victim_character_id,
        victim_corporation_id, victim_alliance_id, victim_ship_type_id, victim_damage_taken, x, y, z, location_id,
        attacker_count, destroyed_value, dropped_value, fitted_value, total_value, unpriced_items, valuation_version,
        points, is_npc, is_solo, is_awox, labels)
      select
        date_trunc('second', ${first}::timestamptz + n * (${first}::timestamptz + interval '1 month'
          - ${first}::timestamptz) / ${killmails + 1}::integer),
        ${firstId}::bigint + n,
        case when random() < 0.02 then ${jita} else 30000001 + floor(5000 * random() ^ 2)::integer end,
        ${firstCharacter} + pilot, ${sql.literal(corporation)}, ${sql.literal(alliance)}, ${sql.literal(ship)},
        floor(100000 * random()), 1e12 * random(), 1e12 * random(), 1e12 * random(),
        40000000 + floor(300000 * random()),
        case
          when chance < 0.55 then 1
          when chance < 0.90 then 2 + floor(4 * random())
          when chance < 0.99 then 6 + floor(25 * random())
          else 30 + floor(170 * random())
        end,
        worth * 0.7, worth * 0.3, worth, worth, 0, 1, floor(100 * random()), random() < 0.05, chance < 0.4, false,
        array['loc:nullsec', 'cat:6', 'pvp', case when worth > 1e9 then 'isk:1b+' else 'isk:low' end]
      from (
        select n, ${
      sql.literal(pilotIn(month))
    } as pilot, random() as chance, round((1e6 / (random() + 1e-4))::numeric, 2) as worth
        from generate_series(0, ${killmails - 1}) n
      ) as mail`
    yield* sql`
      insert into ${table("attackers")} (killmail_time, killmail_id, ordinal, character_id, corporation_id, alliance_id,
        ship_type_id, weapon_type_id, damage_done, final_blow, security_status)
      select killmail_time, killmail_id, ordinal, ${firstCharacter} + pilot, ${sql.literal(corporation)},
        ${sql.literal(alliance)}, ${sql.literal(ship)}, 2000 + floor(500 * random())::integer,
        floor(10000 * random()), ordinal = 0, round((15 * random() - 10)::numeric, 1)::float8
      from (
        select killmail_time, killmail_id, ordinal, ${sql.literal(pilotIn(month))} as pilot
        from ${table("killmails")}
        cross join lateral generate_series(0, attacker_count - 1) ordinal
        order by killmail_time, killmail_id, ordinal
      ) as part`
    yield* sql`
      insert into ${table("items")} (killmail_time, killmail_id, ordinal, item_type_id, flag, singleton,
        quantity_dropped, quantity_destroyed)
      select killmail_time, killmail_id, ordinal, 10000 + floor(6000 * random() ^ 2)::integer,
        floor(130 * random())::integer, 0, case when ordinal % 2 = 0 then 1 end, case when ordinal % 2 = 1 then 1 end
      from (
        select killmail_time, killmail_id, floor(31 * random())::integer as items
        from ${table("killmails")}
      ) as mail
      cross join lateral generate_series(0, items - 1) ordinal
      order by killmail_time, killmail_id, ordinal`
    yield* sql`
      insert into killmail_ledger (killmail_id, killmail_time, hash, sequence, source, heard_at)
      select killmail_id, killmail_time, substr(sha256(killmail_id::text::bytea), 1, 20),
        case when ${month.isNewest} then row_number() over (order by killmail_id) end, 'generated', now()
      from ${table("killmails")}`
    yield* sql`
      insert into statistics_due (day)
      select day
      from generate_series(${first}::timestamp, ${first}::timestamp + interval '1 month - 1 day', interval '1 day') day`
    for (;;) {
      const [created] = yield* sql<{ index: string | null }>`select create_month_index(${first}::date) as index`
      if (created!.index === null) break
    }
  }))
  for (const parent of ["killmails", "attackers", "items"]) yield* sql`vacuum (freeze, analyze) ${table(parent)}`
})
