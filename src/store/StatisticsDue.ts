/** What whoever changes killmails other than by publishing them tells the statistics, in the same transaction. */
import type { SqlClient } from "effect/sql"
import type { CopyTransaction } from "./CopyTransactions.ts"
import type { NewKillmail } from "./KillmailStore.ts"
import { pgArray } from "./PgArray.ts"

/** The days of killmails of these times, as Postgres reads them, are to be counted anew. */
export const noteDaysOf = (sql: SqlClient.SqlClient, times: ReadonlyArray<string>) =>
  sql`
    insert into statistics_due (day)
    select distinct (killmail_time at time zone 'UTC')::date
    from unnest(${pgArray(times)}::timestamptz[]) as changed(killmail_time)`

/** As `noteDaysOf`, where the killmails are written. */
export const noteDays = (transaction: CopyTransaction, mails: ReadonlyArray<NewKillmail>) =>
  transaction.query("insert into statistics_due (day) select unnest($1::date[])", [
    [...new Set(mails.map(({ killmail }) => killmail.killmail_time.slice(0, 10)))]
  ])
