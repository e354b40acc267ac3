/**
 * Transactions that may COPY, on connections of their own: the driver of all other statements knows no COPY. To Postgres rows
 * that are copied cost two thirds of what they cost when they are inserted, however few.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted, type Scope } from "effect"
import { SqlError } from "effect/sql"
import { once } from "node:events"
import { DatabaseError, Pool, type PoolClient } from "pg"
import { from } from "pg-copy-streams"

/** Rows in COPY's binary format (`CopyRows`). */
export interface TableRows {
  readonly table: string
  readonly columns: string
  readonly rows: Buffer
}

export interface CopyTransaction {
  readonly copy: (rows: TableRows) => Effect.Effect<void, SqlError.SqlError>
  /** Values as `pg` takes them: `$1` and so on, arrays as such. */
  readonly query: <Row extends object>(
    statement: string,
    values?: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError>
}

/** Commits what `work` wrote when it succeeds; whatever else becomes of it, nothing was written. Is not interrupted. */
export type Transact = <A, E, R>(
  work: (transaction: CopyTransaction) => Effect.Effect<A, E, R>
) => Effect.Effect<A, E | SqlError.SqlError, R>

/** So many transactions at a time, on the same database and under the same name as the other driver's. */
export const makeTransact = (most: number): Effect.Effect<Transact, never, PgClient.PgClient | Scope.Scope> =>
  Effect.gen(function*() {
    const { config } = yield* PgClient.PgClient
    const pool = yield* Effect.acquireRelease(
      Effect.sync(() => makePool(config, most)),
      (pool) => Effect.promise(() => pool.end())
    )
    return (work) =>
      Effect.gen(function*() {
        const client = yield* attempt(() => pool.connect())
        return yield* attempt(() => client.query("begin")).pipe(
          Effect.andThen(work(transactionOn(client))),
          Effect.tap(attempt(() => client.query("commit"))),
          Effect.tap(Effect.sync(() => client.release())),
          // Whatever state it is in: the next one is new.
          Effect.tapCause(() => Effect.sync(() => client.release(true)))
        )
      }).pipe(Effect.uninterruptible)
  })

const makePool = ({ applicationName, url }: PgClient.PgClientConfig, max: number): Pool => {
  const pool = new Pool({
    connectionString: url && Redacted.value(url),
    max,
    application_name: applicationName,
    options: "-c timezone=UTC",
    connectionTimeoutMillis: 5000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000
  })
  // Told by whatever waits for the connection; nobody may, while it lies in the pool or between two statements.
  pool.on("error", () => {})
  pool.on("connect", (client) => client.on("error", () => {}))
  return pool
}

const transactionOn = (client: PoolClient): CopyTransaction => ({
  copy: ({ columns, rows, table }) => {
    const statement = `copy ${table} (${columns}) from stdin (format binary)`
    return attempt(async () => {
      const stream = client.query(from(statement))
      // An error may come twice: from Postgres, and from the connection that it then ends.
      stream.on("error", () => {})
      stream.end(rows)
      await once(stream, "finish")
    }).pipe(traced(statement))
  },
  query: (statement, values = []) =>
    attempt(() => client.query(statement, [...values])).pipe(Effect.map(({ rows }) => rows), traced(statement))
})

/** As the other driver traces its statements. */
const traced = (statement: string) =>
  Effect.withSpan("postgresql", {
    kind: "client",
    attributes: { "db.system.name": "postgresql", "db.query.text": statement }
  })

/** What does not come from Postgres itself comes from the way there. */
const attempt = <A>(work: () => Promise<A>): Effect.Effect<A, SqlError.SqlError> =>
  Effect.tryPromise({
    try: work,
    catch: (cause) => {
      const details = { cause, message: cause instanceof Error ? cause.message : String(cause) }
      return new SqlError.SqlError({
        reason: cause instanceof DatabaseError
          ? new SqlError.UnknownError(details)
          : new SqlError.ConnectionError(details)
      })
    }
  })
