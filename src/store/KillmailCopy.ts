/** Writes killmails of the past by COPY: stored and visible, but not announced. The ledger decides which of them are new. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { crashPoint } from "../CrashPoint.ts"
import { type CopyTransaction, makeTransact } from "./CopyTransactions.ts"
import { isUniqueViolation } from "./Database.ts"
import type { ArchiveKey } from "./Imports.ts"
import { makeMonths } from "./KillmailMonths.ts"
import { bodyRows, ledgerRows } from "./KillmailRows.ts"
import { firstOfEach, knownIds, type NewKillmail } from "./KillmailStore.ts"
import { pgColumn } from "./PgArray.ts"
import { noteDays } from "./StatisticsDue.ts"

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
  /** Which of these ids the ledger has. What archives have is public: of these none is held back any more. */
  readonly known: (ids: ReadonlyArray<number>) => Effect.Effect<ReadonlySet<number>, SqlError.SqlError>
  /** Stores what is new of a batch, and how far its import is, in one transaction; returns how many it was. */
  readonly store: (batch: ReadonlyArray<NewKillmail>, advance: Advance) => Effect.Effect<number, SqlError.SqlError>
}>()("killmaild/store/KillmailCopy") {
  static readonly layer = Layer.effect(
    KillmailCopy,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const transact = yield* makeTransact(writers)
      const months = yield* makeMonths

      const known: KillmailCopy["Service"]["known"] = Effect.fnUntraced(function*(ids) {
        const isKnown = yield* knownIds(sql, ids)
        if (isKnown.size > 0) yield* sql`select release_withheld(${pgColumn([...isKnown], (id) => id)}::bigint[])`
        return isKnown
      })

      const write = Effect.fnUntraced(function*(batch: ReadonlyArray<NewKillmail>, advance: Advance) {
        const isKnown = yield* known(batch.map(({ killmail }) => killmail.killmail_id))
        const fresh = batch.filter(({ killmail }) => !isKnown.has(killmail.killmail_id))
        const tables = [...bodyRows(fresh), ledgerRows(fresh)]
        yield* transact((transaction) =>
          Effect.gen(function*() {
            if (fresh.length > 0) {
              for (const rows of tables) yield* transaction.copy(rows)
              yield* noteDays(transaction, fresh)
            }
            yield* crashPoint("batch copied, not committed")
            yield* noteAdvance(transaction, advance, fresh.length)
          })
        )
        yield* crashPoint("batch committed, archive not ended")
        return fresh.length
      })

      const store: KillmailCopy["Service"]["store"] = Effect.fnUntraced(
        function*(batch, advance) {
          yield* months.ensure(batch)
          return yield* write(firstOfEach(batch), advance).pipe(
            // Somebody stored one of these meanwhile: what was committed is known now.
            Effect.retry({ while: isUniqueViolation, times: 5 })
          )
        },
        Effect.uninterruptible
      )

      return KillmailCopy.of({ known, store })
    })
  )
}

const noteAdvance = (transaction: CopyTransaction, { bytesRead, key, killmails }: Advance, stored: number) =>
  transaction.query(
    `update imports
    set bytes_read = greatest(bytes_read, $3), killmails = killmails + $4, stored = stored + $5
    where source = $1 and day = $2`,
    [key.source, key.day, bytesRead, killmails, stored]
  )
