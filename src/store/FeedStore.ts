/** What feeds leave behind: sightings, cursors and, in the same transaction, the jobs they cause. */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { crashPoint } from "../CrashPoint.ts"
import { promptly } from "./Deadline.ts"
import { type Lease, LeaseLost } from "./Leases.ts"
import { pgColumn } from "./PgArray.ts"
import { pgJson, pgText } from "./PgText.ts"
import { keepBlocks, keepWaitingBlocks } from "./ZkbBlocks.ts"

/** One naming of a killmail by a source; `payload` is that of the job it may cause. */
export interface Hearing {
  readonly killmail_id: number
  /** The job's key: what makes two hearings the same work. */
  readonly key: string
  readonly priority: number
  /** Whether the payload brings the body. */
  readonly hasBody: boolean
  /** What zKillboard says of the killmail, where the source brought that. */
  readonly zkb?: unknown
  readonly payload: object
}

export interface FeedStatus {
  readonly feed: string
  readonly cursor: number | null
  readonly moved_at: Date
  readonly heard_at: Date | null
  /** Which replica leads, null when none does. */
  readonly leader: string | null
}

/** What a feed has and cannot tell: an entry that nobody can read, or numbers without any. */
export interface Skipped {
  /** One of a few words, for `gaps`. */
  readonly reason: string
  readonly error: string
  /** The numbers it is about: the first, and the one after the last. */
  readonly numbers?: { readonly from: number; readonly to: number }
  /** When the feed published what comes next, in milliseconds since 1970; now, where that is not known. */
  readonly until?: number | undefined
  /** What stands there instead, kept as a dead letter. */
  readonly entry?: { readonly key: string; readonly text: string }
}

/** A feed that told nothing for longer may have told it to nobody: New Eden loses a ship every few seconds. */
const longestSilence = "15 minutes"

/** zKillboard's own, which says so when it changes its mind about a killmail. */
const rewritingFeed = "r2z2"

export class FeedStore extends Context.Service<FeedStore, {
  readonly cursor: (feed: string) => Effect.Effect<Option.Option<number>, SqlError.SqlError>
  /**
   * Records what a feed said and moves its cursor, in one transaction: the cursor is never ahead of what is stored or
   * queued. What zKillboard says of a killmail that is here already is kept with it. A long silence before opens a gap.
   * Returns the number of jobs added. Fails, with nothing done, when the lease has passed to another replica.
   */
  readonly hear: (
    lease: Lease,
    hearings: ReadonlyArray<Hearing>,
    cursor: number | undefined
  ) => Effect.Effect<number, SqlError.SqlError | LeaseLost>
  /**
   * As `hear`, for a killmail that a person or a program names by hand. Whoever has its hash has the killmail: if it is held back,
   * it is public from then on. Whoever has not is told what they would be of one that is not here.
   */
  readonly hearByHand: (hearing: Hearing) => Effect.Effect<number, SqlError.SqlError>
  /** As `hear`, for killmails that somebody's list of the past names. */
  readonly hearFrom: (source: string, hearings: ReadonlyArray<Hearing>) => Effect.Effect<number, SqlError.SqlError>
  /** Whether ESI refused the killmail of this job's key for good. */
  readonly isRefused: (key: string) => Effect.Effect<boolean, SqlError.SqlError>
  /** How the work on a killmail ended, or undefined while it has not. */
  readonly endOf: (
    killmailId: number,
    key: string
  ) => Effect.Effect<
    { readonly stored: true } | { readonly stored: false; readonly error: string } | undefined,
    SqlError.SqlError
  >
  /** Steps over what cannot be had: the cursor moves on, and a gap opens. */
  readonly skip: (
    lease: Lease,
    skipped: Skipped,
    cursor: number | undefined
  ) => Effect.Effect<void, SqlError.SqlError | LeaseLost>
  readonly status: Effect.Effect<ReadonlyArray<FeedStatus>, SqlError.SqlError>
}>()("killmaild/store/FeedStore") {
  static readonly layer = Layer.effect(
    FeedStore,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const cursor = (feed: string) =>
        Effect.map(
          sql<{ cursor: number | null }>`select cursor::float8 as cursor from feed_cursors where feed = ${feed}`,
          ([row]) => Option.fromNullishOr(row?.cursor)
        )

      const callHear = (source: string, hearings: ReadonlyArray<Hearing>) =>
        Effect.map(
          sql<{ jobs: number }>`
            select hear_killmails(${source},
              ${pgColumn(hearings, (hearing) => hearing.killmail_id)}::bigint[],
              ${pgColumn(hearings, (hearing) => hearing.key)}::text[],
              ${pgColumn(hearings, (hearing) => hearing.priority)}::smallint[],
              ${pgColumn(hearings, (hearing) => hearing.hasBody)}::boolean[],
              ${hearings.map((hearing) => pgJson(hearing.payload))}::text[]) as jobs`,
          ([row]) => row!.jobs
        )

      /** Some were heard of before: what zKillboard says of them now counts, or what it said at all. */
      const keepWords = Effect.fnUntraced(function*(source: string, hearings: ReadonlyArray<Hearing>) {
        if (source !== rewritingFeed) return yield* keepBlocks(sql, "fill", hearings)
        yield* keepBlocks(sql, "replace", hearings)
        yield* keepWaitingBlocks(sql, hearings)
      })

      // The share lock on the lease makes a successor wait for this transaction, so that no two terms overlap.
      const moveCursor = Effect.fnUntraced(function*(lease: Lease, next: number | undefined, heard: boolean) {
        const [moved] = yield* sql<{ since: Date | null; cursor: number | null }>`
          with held as (
            select name from leases where name = ${lease.name} and term = ${lease.term} for share
          )
          insert into feed_cursors (feed, cursor, heard_at)
          select name, ${next ?? null}::bigint, case when ${heard} then now() end from held
          on conflict (feed) do update set moved_at = now(),
            cursor = coalesce(excluded.cursor, feed_cursors.cursor),
            heard_at = coalesce(excluded.heard_at, feed_cursors.heard_at)
          returning old.cursor::float8 as cursor,
            case when new.heard_at - old.heard_at > ${longestSilence}::interval then old.heard_at end as since`
        if (moved === undefined) return yield* new LeaseLost({ name: lease.name })
        return moved
      })

      const openDowntime = ({ name }: Lease, cursor: number | null, since: Date) =>
        sql`select open_gaps(${name}, 'downtime', ${cursor}::bigint, null, ${since}::timestamptz, now())`

      const hear: FeedStore["Service"]["hear"] = (lease, hearings, next) =>
        sql.withTransaction(Effect.gen(function*() {
          const { cursor, since } = yield* moveCursor(lease, next, hearings.length > 0)
          if (since !== null) yield* openDowntime(lease, cursor, since)
          const jobs = hearings.length === 0 ? 0 : yield* callHear(lease.name, hearings)
          if (jobs < hearings.length) yield* keepWords(lease.name, hearings)
          yield* crashPoint("hearing written, not committed")
          return jobs
        }))

      const hearByHand = (hearing: Hearing) =>
        sql.withTransaction(Effect.gen(function*() {
          yield* sql`select lock_hearings()`
          const { key, killmail_id, payload } = hearing
          const [withheld] = yield* sql<{ hasHash: boolean }>`
            select 'killmail:' || killmail_id || ':' || encode(hash, 'hex') = ${key} as "hasHash"
            from killmail_ledger
            where killmail_id = ${BigInt(killmail_id)} and sequence is null and visible_from > clock_timestamp()`
          if (withheld === undefined || withheld.hasHash) {
            const jobs = yield* callHear("manual", [hearing])
            yield* sql`select release_withheld(array[${BigInt(killmail_id)}]::bigint[])`
            return jobs
          }
          yield* sql`
            insert into dead_letters (task, key, payload, reason, error, attempts)
            values ('ingest_killmail', ${key}, ${pgJson(payload)}::json, 'hash_mismatch',
              'This killmail is here with another hash.', 1)
            on conflict (task, key) do nothing`
          return 1
        }))

      const isRefused = (key: string) =>
        Effect.map(
          sql`
            select 1 from dead_letters
            where task = 'ingest_killmail' and key = ${key} and reason in ('not_found', 'hash_mismatch')`,
          (rows) => rows.length > 0
        )

      const endOf: FeedStore["Service"]["endOf"] = (killmailId, key) =>
        Effect.map(
          sql<{ stored: true } | { stored: false; error: string }>`
            select true as stored, null as error from killmail_ledger where killmail_id = ${BigInt(killmailId)}
            union all
            select false, error from dead_letters where task = 'ingest_killmail' and key = ${key}
            order by stored desc limit 1`,
          ([row]) => row
        )

      const keep = ({ error, reason }: Skipped, { key, text }: NonNullable<Skipped["entry"]>) =>
        sql`
          insert into dead_letters (task, key, payload, reason, error, attempts)
          values ('feed', ${key}, ${JSON.stringify(text)}::json, ${reason}, ${pgText(error)}, 1)
          on conflict (task, key) do update set payload = excluded.payload, reason = excluded.reason,
            error = excluded.error, attempts = dead_letters.attempts + 1, at = now()`

      // What comes after a hole is as good as heard: only a silence from then on is another gap.
      const skip: FeedStore["Service"]["skip"] = (lease, skipped, next) =>
        sql.withTransaction(Effect.gen(function*() {
          const { entry, numbers, reason, until } = skipped
          yield* moveCursor(lease, next, false)
          yield* sql`
            with gap as (
              select coalesce(heard_at, began_at) as since,
                coalesce(to_timestamp(${until === undefined ? null : until / 1000}::float8), now()) as until
              from feed_cursors
              where feed = ${lease.name}
            ),
            opened as (
              select since, until, open_gaps(${lease.name}, ${reason}, ${numbers?.from ?? null}::bigint,
                ${numbers?.to ?? null}::bigint, since, until)
              from gap
            )
            update feed_cursors set heard_at = greatest(since, until) from opened where feed = ${lease.name}`
          if (entry !== undefined) yield* keep(skipped, entry)
          yield* crashPoint("unreadable file kept, not committed")
        }))

      const status = sql<FeedStatus>`
        select feed, cursor::float8 as cursor, moved_at, heard_at,
          (select holder from leases where name = feed and expires_at > now()) as leader
        from feed_cursors order by feed`

      return FeedStore.of({
        cursor: (feed) => promptly(cursor(feed)),
        hear: (lease, hearings, next) => promptly(hear(lease, hearings, next)),
        hearByHand: (hearing) => promptly(hearByHand(hearing)),
        hearFrom: (source, hearings) => promptly(callHear(source, hearings)),
        isRefused: (key) => promptly(isRefused(key)),
        endOf: (killmailId, key) => promptly(endOf(killmailId, key)),
        skip: (lease, skipped, next) => promptly(skip(lease, skipped, next)),
        status: promptly(status)
      })
    })
  )
}
