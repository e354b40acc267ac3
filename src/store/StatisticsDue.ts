/** What whoever changes killmails other than by publishing them tells the statistics, in the same transaction. */
import type { SqlClient } from "effect/sql"
import { pgArray } from "./PgArray.ts"

/** The days of killmails of these times, as Postgres reads them, are to be counted anew. */
export const noteDaysOf = (sql: SqlClient.SqlClient, times: ReadonlyArray<string>) =>
  sql`
    insert into statistics_due (day)
    select distinct (killmail_time at time zone 'UTC')::date
    from unnest(${pgArray(times)}::timestamptz[]) as changed(killmail_time)`
