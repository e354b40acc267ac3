/** The months that killmails are stored in. */
import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { crashPoint } from "../CrashPoint.ts"
import type { NewKillmail } from "./KillmailStore.ts"

export interface KillmailMonths {
  /** In a transaction of its own, before the batch: a missing month must never be taken for a bad row. */
  readonly ensure: (batch: ReadonlyArray<NewKillmail>) => Effect.Effect<void, SqlError.SqlError>
  /** Somebody took one away: all are looked for again. */
  readonly forget: () => void
}

/** Asks Postgres once for each month. */
export const makeMonths: Effect.Effect<KillmailMonths, never, SqlClient.SqlClient> = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const months = new Set<string>()
  return {
    ensure: Effect.fnUntraced(function*(batch) {
      for (const { killmail } of batch) {
        const month = killmail.killmail_time.slice(0, 7)
        if (months.has(month)) continue
        yield* sql`select ensure_killmail_partitions(${`${month}-01`}::date, ${`${month}-01`}::date)`
        months.add(month)
        yield* crashPoint("month made, nothing stored")
      }
    }),
    forget: () => months.clear()
  }
})
