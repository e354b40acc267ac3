/** Finds public killmails by a filter, newest first, a page at a time. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { KillmailRow } from "../domain/Document.ts"
import type { Filter } from "../domain/Filter.ts"
import { normaliseTime } from "../domain/Killmail.ts"
import { pathsOf } from "./FilterSql.ts"
import { killmailColumns } from "./KillmailReader.ts"

/** Where a page ended: killmails are ordered by time, then id. */
export interface Place {
  readonly killmail_time: string
  readonly killmail_id: number
}

export interface PageOptions {
  /** Where the page before ended; without it, the page begins with the newest. */
  readonly after?: Place | undefined
  readonly limit: number
  /** Without items their list is empty; that is half the work. */
  readonly items?: boolean | undefined
}

export class KillmailSearch extends Context.Service<KillmailSearch, {
  /**
   * What fits and is older than `after`, at most `limit`, newest first. Pages that follow one another show everything once,
   * whatever arrives meanwhile.
   */
  readonly page: (
    filter: Filter,
    options: PageOptions
  ) => Effect.Effect<ReadonlyArray<KillmailRow>, SqlError.SqlError>
}>()("killmaild/store/KillmailSearch") {
  static readonly layer = Layer.effect(
    KillmailSearch,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const page = Effect.fn("KillmailSearch.page")(function*(
        filter: Filter,
        { after, items = true, limit }: PageOptions
      ) {
        // The bound on the time alone is what spares months; that on both is the exact one.
        const older = (table: "mail" | "part") =>
          after === undefined ? [] : [
            sql`${sql.literal(`${table}.killmail_time`)} <= ${after.killmail_time}::timestamptz`,
            sql`(${sql.literal(`${table}.killmail_time, ${table}.killmail_id`)})
              < (${after.killmail_time}::timestamptz, ${BigInt(after.killmail_id)})`
          ]
        const paths = pathsOf(sql, filter).map(({ conditions, from }) => {
          const table = from === "mail" ? "mail" : "part"
          // The ledger tells what is public. Were both columns compared for equality, Postgres would expect next to
          // nothing to be left, and sort all of it for the newest ten.
          return sql`(
            select distinct ${sql.literal(`${table}.killmail_time, ${table}.killmail_id`)}
            from ${sql.literal(table === "mail" ? "killmails mail" : joined)}
            join killmail_ledger ledger on ledger.killmail_id = ${sql.literal(table)}.killmail_id
              and ${sql.literal(table)}.killmail_time between ledger.killmail_time and ledger.killmail_time
            where (ledger.sequence is not null or ledger.visible_from <= now())
              and ${sql.and([...older(table), ...conditions])}
            order by 1 desc, 2 desc
            limit ${limit}
          )`
        })
        return yield* sql<KillmailRow>`
          with page as materialized (
            select *
            from (${sql.join(" union ", false)(paths)}) found
            order by killmail_time desc, killmail_id desc
            limit ${limit}
          )
          select ${killmailColumns(sql, items)}
          from page
          join killmails mail using (killmail_time, killmail_id)
          join killmail_ledger ledger on ledger.killmail_id = page.killmail_id
          order by page.killmail_time desc, page.killmail_id desc`
      })

      return KillmailSearch.of({ page })
    })
  )
}

const joined = `attackers part
            join killmails mail on mail.killmail_time = part.killmail_time and mail.killmail_id = part.killmail_id`

/** Where the page goes on that begins after this killmail. */
export const placeOf = ({ killmail_id, killmail_time }: KillmailRow): Place => ({
  killmail_id,
  killmail_time: normaliseTime(killmail_time)
})
