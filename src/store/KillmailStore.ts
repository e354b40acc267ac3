/** Writes killmails: a batch is one transaction, and the ledger decides which of it are new. */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { crashPoint } from "../CrashPoint.ts"
import type { Appraisal } from "../domain/Judgement.ts"
import { type Killmail, normaliseTime } from "../domain/Killmail.ts"
import { type CopyTransaction, makeTransact } from "./CopyTransactions.ts"
import { isNoPartition, isUniqueViolation } from "./Database.ts"
import { makeMonths } from "./KillmailMonths.ts"
import { bodyRows } from "./KillmailRows.ts"
import { pgColumn } from "./PgArray.ts"
import { noteDays } from "./StatisticsDue.ts"
import { keepBlocks } from "./ZkbBlocks.ts"

/** A checked killmail on its way into the store. */
export interface NewKillmail {
  readonly killmail: Killmail
  /** What it was worth and meant, as far as is known now; absent, it is worth nothing yet. */
  readonly appraisal?: Appraisal | undefined
  readonly hash: string
  readonly source: string
  /** When a feed first named it. */
  readonly heardAt: Date
  /** What zKillboard said of it, when the source brought that. */
  readonly zkb?: unknown
  readonly traceparent?: string | undefined
  /** Whether it is news, as it is unless this says otherwise; else it is stored like history, without a sequence. */
  readonly isAnnounced?: boolean
}

/** `sequence` numbers the publication, null where it was stored like history; one that was there before has none of its own. */
export type Receipt = { readonly outcome: "stored"; readonly sequence: number | null } | { readonly outcome: "known" }

/** Every listener wakes on this channel and reads on from the sequence it has; the payload says nothing. */
export const publicationsChannel = "killmails"

/** Transactions at a time: one writes rows while the other commits. A third gained nothing on two cores. */
export const writers = 2

/** Whether it gets a sequence. */
const isNews = ({ isAnnounced = true }: NewKillmail): boolean => isAnnounced

export class KillmailStore extends Context.Service<KillmailStore, {
  /** The hash of a killmail that the ledger has, public or not. */
  readonly knownHash: (killmailId: number) => Effect.Effect<Option.Option<string>, SqlError.SqlError>
  /** The same of one that is public. */
  readonly publicHash: (killmailId: number) => Effect.Effect<Option.Option<string>, SqlError.SqlError>
  /**
   * Stores what is new, in one transaction, and publishes it: one receipt each, in order, and one NOTIFY. A known one gets
   * what zKillboard says of it, where it has nothing yet.
   * Fails as a whole, with nothing stored.
   */
  readonly append: (batch: ReadonlyArray<NewKillmail>) => Effect.Effect<ReadonlyArray<Receipt>, SqlError.SqlError>
}>()("killmaild/store/KillmailStore") {
  static readonly layer = Layer.effect(
    KillmailStore,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const transact = yield* makeTransact(writers)
      const months = yield* makeMonths

      const hashWhere = (isMeant: string) => (killmailId: number) =>
        Effect.map(
          sql<{ hash: string }>`
            select encode(hash, 'hex') as hash
            from killmail_ledger
            where killmail_id = ${BigInt(killmailId)} and ${sql.literal(isMeant)}`,
          ([row]) => Option.fromNullishOr(row?.hash)
        )
      const knownHash = hashWhere("true")
      const publicHash = hashWhere("(sequence is not null or visible_from <= clock_timestamp())")

      /** Which of these are new; those that are not get what zKillboard says of them. */
      const freshOf = Effect.fnUntraced(function*(batch: ReadonlyArray<NewKillmail>) {
        const known = yield* knownIds(sql, batch.map(({ killmail }) => killmail.killmail_id))
        const again = batch.filter(({ killmail }) => known.has(killmail.killmail_id))
        if (again.length > 0) {
          yield* sql.withTransaction(
            keepBlocks(sql, "fill", again.map(({ killmail, zkb }) => ({ killmail_id: killmail.killmail_id, zkb })))
          )
        }
        return firstOfEach(batch.filter(({ killmail }) => !known.has(killmail.killmail_id)))
      })

      const write = (fresh: ReadonlyArray<NewKillmail>) =>
        transact(Effect.fnUntraced(function*(transaction) {
          for (const rows of bodyRows(fresh)) yield* transaction.copy(rows)
          yield* crashPoint("bodies written, no sequence yet")
          const withheld = yield* withholdings(transaction, fresh)
          yield* transaction.query("select lock_publications()")
          const published = yield* enterLedger(transaction, fresh, withheld)
          const history = fresh.filter((mail) => !isNews(mail))
          if (history.length > 0) yield* noteDays(transaction, history)
          yield* transaction.query("select request_entities(), pg_notify($1, '')", [publicationsChannel])
          yield* crashPoint("sequence given, not committed")
          return new Map(published.map(({ id, sequence }) => [id, sequence]))
        }))

      const store = Effect.fnUntraced(function*(batch: ReadonlyArray<NewKillmail>) {
        yield* months.ensure(batch)
        const fresh = yield* freshOf(batch)
        return fresh.length === 0 ? new Map<number, number | null>() : yield* write(fresh)
      })

      const append = Effect.fn("KillmailStore.append")(function*(batch: ReadonlyArray<NewKillmail>) {
        yield* Effect.annotateCurrentSpan({ "killmail.count": batch.length })
        const published = yield* store(batch).pipe(
          Effect.tapError((error) => Effect.sync(() => isNoPartition(error) && months.forget())),
          // Another replica stored one of these meanwhile, and what it committed is known now; or somebody detached a month.
          Effect.retry({ while: (error) => isUniqueViolation(error) || isNoPartition(error), times: 3 })
        )
        yield* crashPoint("stored, job not told")
        return batch.map(({ killmail }): Receipt => {
          const sequence = published.get(killmail.killmail_id)
          // Of two requests for the same mail in one batch, the first is answered "stored".
          published.delete(killmail.killmail_id)
          return sequence === undefined ? { outcome: "known" } : { outcome: "stored", sequence }
        })
      })

      return KillmailStore.of({ knownHash, publicHash, append })
    })
  )
}

/** Which of these ids the ledger has. */
export const knownIds = (
  sql: SqlClient.SqlClient,
  ids: ReadonlyArray<number>
): Effect.Effect<ReadonlySet<number>, SqlError.SqlError> =>
  Effect.map(
    sql<{ id: number }>`
      select killmail_id::float8 as id from killmail_ledger
      where killmail_id = any(${pgColumn(ids, (id) => id)}::bigint[])`,
    (rows) => new Set(rows.map(({ id }) => id))
  )

/** Sorted by id, so that two replicas with the same mails wait for each other instead of deadlocking. */
export const firstOfEach = (batch: ReadonlyArray<NewKillmail>): ReadonlyArray<NewKillmail> => {
  const byId = new Map<number, NewKillmail>()
  for (const mail of batch) if (!byId.has(mail.killmail.killmail_id)) byId.set(mail.killmail.killmail_id, mail)
  return [...byId.values()].toSorted((a, b) => a.killmail.killmail_id - b.killmail.killmail_id)
}

/** Until when a killmail is held back, as Postgres writes it, and by which character or corporation. */
interface Withholding {
  readonly id: number
  readonly until: string
  readonly owner: string
}

/** Only what a pilot's own list named can be: then nobody else may name it until it is stored. */
const withholdings = Effect.fnUntraced(function*(
  transaction: CopyTransaction,
  mails: ReadonlyArray<NewKillmail>
) {
  const own = mails.filter(({ source }) => ownSources.has(source))
  if (own.length === 0) return new Map<number, Withholding>()
  yield* transaction.query("select lock_hearings()")
  const withheld = yield* transaction.query<Withholding>(
    `select mail.id::float8 as id, until::text as until, owner::text as owner
    from unnest($1::bigint[], $2::timestamptz[]) as mail(id, time), withholding_of(mail.id, mail.time)`,
    [
      own.map(({ killmail }) => killmail.killmail_id),
      own.map(({ killmail }) => normaliseTime(killmail.killmail_time))
    ]
  )
  const times = withheld.map(({ until }) => until)
  if (times.length > 0) yield* transaction.query("select schedule_publications($1::timestamptz[])", [times])
  return new Map(withheld.map((each) => [each.id, each]))
})

const ownSources = new Set(["esi_character", "esi_corporation"])

/** The next sequences, for those that are announced. The caller holds the lock that gives them. */
const enterLedger = (
  transaction: CopyTransaction,
  mails: ReadonlyArray<NewKillmail>,
  withheld: ReadonlyMap<number, Withholding>
) =>
  transaction.query<{ id: number; sequence: number | null }>(
    `insert into killmail_ledger (killmail_id, killmail_time, hash, source, heard_at, traceparent, visible_from, owner_id,
      sequence)
    select id, time, decode(hash, 'hex'), source, heard_at, traceparent, coalesce(withheld_until, now()), owner,
      case when announced then
        (select coalesce(max(sequence), 0) from killmail_ledger) + row_number() over (partition by announced order by id)
      end
    from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::boolean[],
        $8::timestamptz[], $9::bigint[])
      as mail(id, time, hash, source, heard_at, traceparent, announced, withheld_until, owner)
    returning killmail_id::float8 as id, sequence::float8 as sequence`,
    [
      mails.map(({ killmail }) => killmail.killmail_id),
      mails.map(({ killmail }) => normaliseTime(killmail.killmail_time)),
      mails.map(({ hash }) => hash),
      mails.map(({ source }) => source),
      mails.map(({ heardAt }) => heardAt.toISOString()),
      mails.map(({ traceparent }) => traceparent),
      mails.map((mail) => isNews(mail) && !withheld.has(mail.killmail.killmail_id)),
      mails.map(({ killmail }) => withheld.get(killmail.killmail_id)?.until),
      mails.map(({ killmail }) => withheld.get(killmail.killmail_id)?.owner)
    ]
  )
