import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { type CopyTransaction, makeTransact } from "../../src/store/CopyTransactions.ts"
import { isPassing } from "../../src/store/Database.ts"
import { withStores } from "../support/Stores.ts"
import { eventually } from "../support/TestDaemon.ts"

/** The backend is ended from outside, as that of a frozen replica is. */
const terminate = Effect.fnUntraced(function*({ query }: CopyTransaction) {
  const [backend] = yield* query<{ pid: number }>("select pg_backend_pid() as pid")
  const sql = yield* SqlClient.SqlClient
  yield* sql`select pg_terminate_backend(${backend!.pid})`
  yield* eventually(
    (sql) => sql`select from pg_stat_activity where pid = ${backend!.pid}`,
    (rows) => rows.length === 0
  ).pipe(Effect.orDie)
})

/** The header of COPY's binary format, and so many bytes that are no row. */
const rows = Buffer.concat([Buffer.from("PGCOPY\n\xff\r\n\0", "latin1"), Buffer.alloc(8 + 10_000_000)])
const copyAny = ({ copy }: CopyTransaction) => copy({ table: "killmail_ledger", columns: "killmail_id", rows })

type Work = (transaction: CopyTransaction) => Effect.Effect<unknown, SqlError.SqlError, SqlClient.SqlClient>
const works: Readonly<Record<string, Work>> = {
  "between two statements": (transaction) => Effect.andThen(terminate(transaction), transaction.query("select 1")),
  "before a COPY": (transaction) => Effect.andThen(terminate(transaction), copyAny(transaction)),
  "during a COPY": (transaction) =>
    Effect.all([terminate(transaction), copyAny(transaction)], { concurrency: "unbounded" })
}

describe("a transaction that copies", () => {
  for (const [when, work] of Object.entries(works)) {
    it.live(`fails, and the process lives, where its connection is ended ${when}`, () =>
      withStores(() =>
        Effect.gen(function*() {
          const transact = yield* makeTransact(1)
          const error = yield* Effect.flip(transact(work))
          // What is copied makes no sense to Postgres, and it may say so first.
          assert.isTrue(isPassing(error) || when === "during a COPY", String(error))
          assert.deepStrictEqual(yield* transact(({ query }) => query("select 1 as one")), [{ one: 1 }])
        })
      ))
  }
})
