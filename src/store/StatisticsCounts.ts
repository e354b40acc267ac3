/** What killmails count, and how it is added to the table: by kind, id and day, with the columns of `counters`. */
import type { SqlClient, Statement } from "effect/sql"
import type { Day } from "../domain/Market.ts"
import { counters } from "../domain/Statistics.ts"

/** Some killmails, said so that Postgres reads no other months: of `killmails mail` and of `attackers`, which share a key. */
export interface Selection {
  readonly within: (table: "mail" | "attackers") => Statement.Fragment
  /** Of `mail` alone. */
  readonly only: Statement.Fragment
  /** Under which day each is counted. */
  readonly day: Statement.Fragment
}

/** What these killmails count. */
export const countsOf = (sql: SqlClient.SqlClient, { day, only, within }: Selection): Statement.Fragment =>
  sql`
    select kind, id, day, count(*), 0, 0, count(*) filter (where is_solo), 0, count(*) filter (where fired_last),
      sum(points), sum(damage), 0, sum(value), 0
    from (
      select kind, id, mail.killmail_id, ${day} as day, any_value(is_solo) as is_solo, bool_or(final_blow) as fired_last,
        any_value(points) as points, sum(damage_done) as damage, any_value(total_value) as value
      from killmails mail
      join attackers using (killmail_time, killmail_id)
      cross join lateral (values
        ('character'::statistics_kind, nullif(character_id, victim_character_id)),
        ('corporation', corporation_id),
        ('alliance', alliance_id),
        ('type', ship_type_id)
      ) as party(kind, id)
      where id is not null and ${within("mail")} and ${within("attackers")} and ${only}
      group by kind, id, mail.killmail_id, day
    ) as kill
    group by kind, id, day
    union all
    select kind, id, ${day}, 0, count(*), count(*) filter (where is_npc), 0, count(*) filter (where is_solo), 0,
      0, 0, sum(victim_damage_taken), 0, sum(total_value)
    from killmails mail
    cross join lateral (values
      ('character'::statistics_kind, victim_character_id),
      ('corporation', victim_corporation_id),
      ('alliance', victim_alliance_id),
      ('type', victim_ship_type_id)
    ) as party(kind, id)
    where id is not null and ${within("mail")} and ${only}
    group by 1, 2, 3
    union all
    select kind, id, ${day}, count(*), 0, 0, count(*) filter (where is_solo), 0, 0,
      sum(points), sum(victim_damage_taken), 0, sum(total_value), 0
    from killmails mail
    left join solar_systems using (solar_system_id)
    cross join lateral (values ('system'::statistics_kind, solar_system_id), ('region', region_id)) as place(kind, id)
    where id is not null and ${within("mail")} and ${only}
    group by 1, 2, 3`

/** Adds these killmails to the days on which they happened. */
export const addToDays = (sql: SqlClient.SqlClient, { only, within }: Pick<Selection, "only" | "within">) =>
  sql`
    insert into killmails_by_day as known (day, killmails)
    select (mail.killmail_time at time zone 'UTC')::date, count(*)
    from killmails mail
    where ${within("mail")} and ${only}
    group by 1
    order by 1
    on conflict (day) do update
    set killmails = known.killmails + excluded.killmails`

/** What is in the table of a period that begins on this day, to be taken away. */
export const countedBefore = (sql: SqlClient.SqlClient, period: "day" | "month", start: Day): Statement.Fragment =>
  sql`
    select kind, id, start, ${sql.literal(counters.map((counter) => `-${counter}`).join(", "))}
    from statistics
    where period = ${period}::statistics_period and start = ${start}::date`

/** Adds counts to the day that they belong to, if it is kept, to its month and to all time. */
export const addCounts = (sql: SqlClient.SqlClient, counts: Statement.Fragment, daysSince: Day) =>
  sql`
    insert into statistics as known (period, start, kind, id, ${sql.literal(columns)})
    select span.period, span.start, kind, id, ${sql.literal(sumsOf("change"))}
    from (
      select kind, id, day, ${sql.literal(sumsOf("part", true))}
      from (${counts}) as part(kind, id, day, ${sql.literal(columns)})
      group by kind, id, day
      having (${sql.literal(sumsOf("part"))}) <> (${sql.literal(counters.map(() => "0").join(", "))})
    ) as change
    cross join lateral (values
      ('day'::statistics_period, day),
      ('month', date_trunc('month', day)::date),
      ('all', date '2003-05-06')
    ) as span(period, start)
    where span.period <> 'day' or day >= ${daysSince}::date
    group by span.period, span.start, kind, id
    order by span.period, span.start, kind, id
    on conflict (period, start, kind, id) do update
    set ${sql.literal(counters.map((counter) => `${counter} = known.${counter} + excluded.${counter}`).join(", "))}`

const columns = counters.join(", ")
const sumsOf = (table: string, named = false): string =>
  counters.map((counter) => `coalesce(sum(${table}.${counter}), 0)${named ? ` as ${counter}` : ""}`).join(", ")
