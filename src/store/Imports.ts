/** The books of the imports: which archives were read, how far the others are, and what of them could not be stored. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { Day } from "../domain/Market.ts"
import { pgJson, pgText } from "./PgText.ts"
import { withheldIds } from "./WithheldKillmails.ts"

/** An archive: whose, and of which day. */
export interface ArchiveKey {
  readonly source: string
  readonly day: Day
}

/** How an archive can be told from an edited one. */
export interface Mark {
  /** MD5, as hex. */
  readonly digest: string
  /** What its publisher's list says of it, if there is one. */
  readonly listed: string | null
}

export type Ending = (Mark | { readonly error: string }) & { readonly refused?: number; readonly asked?: number }

/** What is being read, or was. */
export interface ImportState {
  readonly day: Day
  /** When, as Postgres writes it. */
  readonly began: string
  readonly bytes: number
  readonly bytes_read: number
  readonly killmails: number
  readonly stored: number
  /** Of these ESI is asked. */
  readonly asked: number
  readonly refused: number
  readonly ended: boolean
  readonly error: string | null
}

export class Imports extends Context.Service<Imports, {
  /** Archives that were read to their end, by day; both days included. */
  readonly read: (source: string, first: Day, last: Day) => Effect.Effect<ReadonlyMap<Day, Mark>, SqlError.SqlError>
  /** Opens the books, and makes the month: without indexes for searches, where it is not there yet. */
  readonly begin: (key: ArchiveKey, bytes: number) => Effect.Effect<void, SqlError.SqlError>
  /**
   * Closes the books, with the mark of an archive that was read whole, or what was wrong with it. Says whether no other
   * import of the month is to come.
   */
  readonly end: (key: ArchiveKey, outcome: Ending) => Effect.Effect<boolean, SqlError.SqlError>
  /** Keeps a member that holds no killmail as a dead letter. */
  readonly refuse: (key: ArchiveKey, letter: RefusedMember) => Effect.Effect<void, SqlError.SqlError>
  /** Notes whom the killmails of the day name, and has ESI asked about those who are unknown. */
  readonly noteEntities: (day: Day) => Effect.Effect<void, SqlError.SqlError>
  /** Creates what indexes the month lacks, one in a transaction. The planner is told what is in it, if that has changed. */
  readonly indexMonth: (day: Day, hasChanged: boolean) => Effect.Effect<void, SqlError.SqlError>
  /** As `indexMonth`, for every month that nothing is imported into any more; returns how many. */
  readonly indexMonths: Effect.Effect<number, SqlError.SqlError>
  /** For how many killmails of this source's imports ESI is still to be asked. */
  readonly asked: (source: string) => Effect.Effect<number, SqlError.SqlError>
  /** Why ESI gave none of those that it was asked for since then, one sentence each; `since` as Postgres writes it. */
  readonly refusals: (source: string, since: string) => Effect.Effect<ReadonlyArray<string>, SqlError.SqlError>
  readonly states: (
    source: string,
    first: Day,
    last: Day
  ) => Effect.Effect<ReadonlyArray<ImportState>, SqlError.SqlError>
}>()("killmaild/store/Imports") {
  static readonly layer = Layer.effect(
    Imports,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const read: Imports["Service"]["read"] = (source, first, last) =>
        Effect.map(
          sql<Mark & { readonly day: Day }>`
            select day::text as day, digest, listed from imports
            where source = ${source} and day between ${first}::date and ${last}::date and digest is not null`,
          (rows) => new Map(rows.map(({ day, ...mark }) => [day, mark]))
        )

      const begin: Imports["Service"]["begin"] = (key, bytes) =>
        sql.withTransaction(Effect.gen(function*() {
          yield* sql`
            insert into imports (source, day, bytes) values (${key.source}, ${key.day}::date, ${bytes})
            on conflict (source, day) do update set bytes = excluded.bytes, bytes_read = 0, killmails = 0, stored = 0,
              asked = 0, refused = 0, digest = null, listed = null, began_at = excluded.began_at, ended_at = null, error = null`
          yield* sql`select create_month(${monthOf(key.day)}::date)`
        }))

      // Of two that end at once, the second sees that the first has ended.
      const end: Imports["Service"]["end"] = ({ day, source }, outcome) =>
        sql.withTransaction(Effect.gen(function*() {
          const mark = "error" in outcome ? { digest: null, listed: null } : outcome
          yield* sql`select pg_advisory_xact_lock(hashtext('killmaild:imports'))`
          yield* sql`
            update imports set digest = ${mark.digest}, listed = ${mark.listed}, ended_at = clock_timestamp(),
              refused = coalesce(${outcome.refused ?? null}::integer, refused),
              asked = coalesce(${outcome.asked ?? null}::integer, asked),
              error = ${"error" in outcome ? pgText(outcome.error) : null}
            where source = ${source} and day = ${day}::date`
          const [row] = yield* sql<{ last: boolean }>`
            select not exists (
              select from graphile_worker._private_jobs jobs
              where jobs.key like ${`import_day:${day.slice(0, 7)}-%`} and jobs.key not in (
                select 'import_day:' || day || ':' || source from imports where ended_at is not null)
            ) as last`
          return row!.last
        }))

      const refuse: Imports["Service"]["refuse"] = ({ day, source }, { error, member, reason, text }) =>
        Effect.asVoid(sql`
          insert into dead_letters (task, key, payload, reason, error, attempts)
          values ('feed', ${`${source}:${day}:${pgText(member)}`}, ${pgJson(text)}::json, ${reason},
            ${pgText(error)}, 1)
          on conflict (task, key) do update set payload = excluded.payload, reason = excluded.reason,
            error = excluded.error, attempts = dead_letters.attempts + 1, at = now()`)

      const noteEntities: Imports["Service"]["noteEntities"] = (day) =>
        Effect.asVoid(sql`
          select note_entities(array(
              select killmail_id from killmails
              where killmail_time >= ${`${day}T00:00:00Z`}::timestamptz
                and killmail_time < ${`${day}T00:00:00Z`}::timestamptz + interval '1 day'
                and killmail_id not in ${sql.literal(withheldIds)})),
            request_entities()`)

      const createNextIndex = (day: Day) =>
        Effect.map(
          sql<{ index: string | null }>`select create_month_index(${monthOf(day)}::date) as index`,
          ([row]) => row!.index
        )

      const indexMonth: Imports["Service"]["indexMonth"] = Effect.fnUntraced(function*(day, hasChanged) {
        let changed = hasChanged
        while ((yield* createNextIndex(day)) !== null) changed = true
        if (!changed) return
        for (const table of ["killmails", "attackers", "items"]) {
          yield* sql`analyze ${sql(`${table}_${day.slice(0, 7).replace("-", "_")}`)}`
        }
      })

      const indexMonths = Effect.gen(function*() {
        const months = yield* sql<{ month: Day }>`select unindexed_months()::text as month`
        for (const { month } of months) yield* indexMonth(month, true)
        return months.length
      })

      const asked: Imports["Service"]["asked"] = (source) =>
        Effect.map(
          sql<{ count: number }>`
            select count(*)::int as count
            from graphile_worker._private_jobs jobs join graphile_worker._private_tasks tasks on tasks.id = task_id
            where identifier = 'ingest_killmail' and priority >= ${backfillPriority} and payload->>'source' = ${source}`,
          ([row]) => row!.count
        )

      const refusals: Imports["Service"]["refusals"] = (source, since) =>
        Effect.map(
          sql<{ error: string }>`
            select error from dead_letters
            where task = 'ingest_killmail' and at >= ${since}::timestamptz and payload->>'source' = ${source}
            order by at`,
          (rows) => rows.map(({ error }) => error)
        )

      const states: Imports["Service"]["states"] = (source, first, last) =>
        sql<ImportState>`
          select day::text as day, began_at::text as began, bytes::float8, bytes_read::float8, killmails, stored, asked, refused,
            ended_at is not null as ended, error
          from imports
          where source = ${source} and day between ${first}::date and ${last}::date`

      return Imports.of({
        read,
        begin,
        end,
        refuse,
        noteEntities,
        indexMonth,
        indexMonths,
        asked,
        refusals,
        states
      })
    })
  )
}

/** Of jobs that a backfill adds. */
const backfillPriority = 30

export interface RefusedMember {
  /** Its name in the archive. */
  readonly member: string
  readonly reason: "undecodable" | "implausible_time" | "bad_row"
  readonly error: string
  readonly text: string
}

const monthOf = (day: Day): Day => `${day.slice(0, 7)}-01`
