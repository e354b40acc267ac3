/** One killmaild on one data directory. */
import { Effect, type Scope } from "effect"
import { DatabaseSync } from "node:sqlite"
import { EmbeddedPostgresError, reasonOf } from "./EmbeddedPostgresError.ts"

/**
 * Holds a data directory for this process until the scope closes. The kernel frees the lock however the process ends,
 * so there is no stale lock to judge by process ids. Node cannot lock files itself, but its SQLite does: an exclusive
 * transaction on an empty file is that lock.
 */
export const hold = (data: string): Effect.Effect<void, EmbeddedPostgresError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        const lock = new DatabaseSync(`${data}.lock`)
        try {
          lock.exec("pragma journal_mode = memory; begin exclusive")
        } catch (error) {
          lock.close()
          throw error
        }
        return lock
      },
      catch: (cause) =>
        new EmbeddedPostgresError({
          message: isBusy(cause)
            ? `Another killmaild runs PostgreSQL on ${data}: stop it first, or reach its database with the URL that ` +
              `killmaild database-url prints.`
            : `Cannot lock ${data}.lock: ${reasonOf(cause)}.`
        })
    }),
    (lock) => Effect.sync(() => lock.close())
  )

const sqliteBusy = 5
const isBusy = (cause: unknown) => cause instanceof Error && "errcode" in cause && cause.errcode === sqliteBusy
