/** Writes killmails of the past by COPY: stored and visible, but not announced. The ledger decides which of them are new. */
import { Context, Effect, Layer, Redacted } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import { once } from "node:events"
import { Pool, type PoolClient } from "pg"
import { from } from "pg-copy-streams"
import { crashPoint } from "../CrashPoint.ts"
import { sqlState } from "./Database.ts"
import type { ArchiveKey } from "./Imports.ts"
import { killmailRows } from "./KillmailRows.ts"
import type { NewKillmail } from "./KillmailStore.ts"
import { pgColumn } from "./PgArray.ts"

/** Transactions at a time: while one commits, another's rows are read. */
export const writers = 2

/** How far the archive is once a batch is stored. */
export interface Advance {
  readonly key: ArchiveKey
  readonly bytesRead: number
  /** In the batch, new or not. */
  readonly killmails: number
}

export class KillmailCopy extends Context.Service<KillmailCopy, {
  /** Which of these ids the ledger has. */
  readonly known: (ids: ReadonlyArray<number>) => Effect.Effect<ReadonlySet<number>, SqlError.SqlError>
  /** Stores what is new of a batch, and how far its import is, in one transaction; returns how many it was. */
  readonly store: (batch: ReadonlyArray<NewKillmail>, advance: Advance) => Effect.Effect<number, SqlError.SqlError>
}>()("killmaild/store/KillmailCopy") {
  /** On connections of its own that bear this name: the driver of all others knows no COPY. */
  static readonly layer = (url: Redacted.Redacted, applicationName: string) =>
    Layer.effect(
      KillmailCopy,
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const months = new Set<string>()
        const pool = yield* Effect.acquireRelease(
          Effect.sync(() => makePool(url, applicationName)),
          (pool) => Effect.promise(() => pool.end())
        )

        const known: KillmailCopy["Service"]["known"] = (ids) =>
          Effect.map(
            sql<{ id: number }>`
              select killmail_id::float8 as id from killmail_ledger
              where killmail_id = any(${pgColumn(ids, (id) => id)}::bigint[])`,
            (rows) => new Set(rows.map(({ id }) => id))
          )

        /** The archive's own month is there already. */
        const ensureMonths = Effect.fnUntraced(function*(batch: ReadonlyArray<NewKillmail>) {
          for (const month of new Set(batch.map(({ killmail }) => killmail.killmail_time.slice(0, 7)))) {
            if (months.has(month)) continue
            yield* sql`select ensure_killmail_partitions(${`${month}-01`}::date, ${`${month}-01`}::date)`
            months.add(month)
          }
        })

        const write = Effect.fnUntraced(function*(batch: ReadonlyArray<NewKillmail>, advance: Advance) {
          const isKnown = yield* known(batch.map(({ killmail }) => killmail.killmail_id))
          const fresh = batch.filter(({ killmail }) => !isKnown.has(killmail.killmail_id))
          const tables = killmailRows(fresh)
          yield* inTransaction(pool, (client) =>
            Effect.gen(function*() {
              if (fresh.length > 0) {
                for (const { columns, rows, table } of tables) yield* copyInto(client, table, columns, rows)
                yield* noteDays(client, fresh)
              }
              yield* crashPoint("batch copied, not committed")
              yield* noteAdvance(client, advance, fresh.length)
            }))
          yield* crashPoint("batch committed, archive not ended")
          return fresh.length
        })

        const store: KillmailCopy["Service"]["store"] = Effect.fnUntraced(
          function*(batch, advance) {
            yield* ensureMonths(batch)
            return yield* write(firstOfEach(batch), advance).pipe(
              // Somebody stored one of these meanwhile: what was committed is known now.
              Effect.retry({ while: (error) => sqlState(error) === "23505", times: 5 })
            )
          },
          Effect.uninterruptible
        )

        return KillmailCopy.of({ known, store })
      })
    )
}

const makePool = (url: Redacted.Redacted, applicationName: string): Pool => {
  const pool = new Pool({
    connectionString: Redacted.value(url),
    max: writers,
    application_name: applicationName,
    options: "-c timezone=UTC"
  })
  // Told by whatever waits for the connection.
  pool.on("error", () => {})
  return pool
}

/** Sorted by id, as `KillmailStore` does: who stores the same at once waits, instead of deadlocking. */
const firstOfEach = (batch: ReadonlyArray<NewKillmail>): ReadonlyArray<NewKillmail> =>
  [...new Map(batch.map((mail) => [mail.killmail.killmail_id, mail])).values()]
    .toSorted((a, b) => a.killmail.killmail_id - b.killmail.killmail_id)

const attempt = <A>(work: () => Promise<A>): Effect.Effect<A, SqlError.SqlError> =>
  Effect.tryPromise({
    try: work,
    catch: (cause) =>
      new SqlError.SqlError({
        reason: new SqlError.UnknownError({ cause, message: cause instanceof Error ? cause.message : String(cause) })
      })
  })

const inTransaction = <A, E>(pool: Pool, work: (client: PoolClient) => Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const client = yield* attempt(() => pool.connect())
    return yield* attempt(() => client.query("begin")).pipe(
      Effect.andThen(work(client)),
      Effect.tap(attempt(() => client.query("commit"))),
      Effect.tap(Effect.sync(() => client.release())),
      // Whatever state it is in: the next one is new.
      Effect.tapCause(() => Effect.sync(() => client.release(true)))
    )
  })

const copyInto = (client: PoolClient, table: string, columns: string, rows: Buffer) =>
  attempt(async () => {
    const stream = client.query(from(`copy ${table} (${columns}) from stdin (format binary)`))
    stream.end(rows)
    await once(stream, "finish")
  })

/** To be counted: an import is no publication. */
const noteDays = (client: PoolClient, mails: ReadonlyArray<NewKillmail>) =>
  attempt(() =>
    client.query("insert into statistics_due (day) select unnest($1::date[])", [
      [...new Set(mails.map(({ killmail }) => killmail.killmail_time.slice(0, 10)))]
    ])
  )

const noteAdvance = (client: PoolClient, { bytesRead, key, killmails }: Advance, stored: number) =>
  attempt(() =>
    client.query(
      `update imports
      set bytes_read = greatest(bytes_read, $3), killmails = killmails + $4, stored = stored + $5
      where source = $1 and day = $2`,
      [key.source, key.day, bytesRead, killmails, stored]
    )
  )
