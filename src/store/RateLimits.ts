/**
 * Budgets of upstreams, shared by all replicas: sliding windows of tokens, and pauses, on the database's clock.
 * One row a bucket and one round trip a call; the row's lock makes it atomic (functions in migration 0004).
 */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { promptly } from "./Deadline.ts"

/** Tokens that may be spent in any stretch of time of this length. Fractional rates: 1 token in 2000 ms. */
export interface Budget {
  readonly limit: number
  readonly windowMillis: number
}

/** What response headers said: tokens the server still grants in the present window. */
export interface Told extends Budget {
  readonly remaining: number
}

/** What was reserved for one request: give it to `settle`. */
export interface Reservation {
  readonly tokens: number
  /** Of the window, in which it was taken. */
  readonly slice: number
}

interface TakeRequest extends Budget {
  readonly bucket: string
  readonly tokens: number
  readonly pausedBy?: ReadonlyArray<string>
}

/** A bucket as health pages and metrics show it. */
export interface BucketState {
  readonly bucket: string
  /** `null` for a bucket that only ever was paused or probed. */
  readonly limit: number | null
  readonly windowMillis: number | null
  readonly used: number
  readonly pausedUntil: Date | null
  readonly reason: string | null
  /** Until the pause ends; 0 when there is none. */
  readonly pauseMillis: number
  /** Until the next probe is due; 0 when it is. */
  readonly probeMillis: number
}

/** Named after a group of ESI and a character, as ESI counts each pilot apart: too many for metrics. */
export const isOfPilot = (bucket: string): boolean => /^esi:.*:\d+$/.test(bucket)

/**
 * Every call commits by itself, even inside a caller's transaction, whose end would otherwise be awaited by all other
 * callers of the bucket. Such a call needs a second connection: make it outside.
 */
export class RateLimits extends Context.Service<RateLimits, {
  /**
   * Takes tokens: 0 when taken, else the milliseconds until a retry makes sense, and nothing was taken. Refused while
   * this bucket or one of `pausedBy` is paused. A limit learnt from headers goes before the one given here. More tokens
   * than the limit are granted only when nothing else is taken. They count for one window from now.
   */
  readonly take: (request: TakeRequest) => Effect.Effect<number, SqlError.SqlError>
  /** As `take`, for requests whose cost is known only with their answer. Never settled, it lapses like a taken token. */
  readonly reserve: (
    request: TakeRequest
  ) => Effect.Effect<
    { readonly waitMillis: 0; readonly reservation: Reservation } | {
      readonly waitMillis: number
      readonly reservation?: never
    },
    SqlError.SqlError
  >
  /**
   * Once the answer has come: its reservation is given back, what it cost (`spent`) counts from now, and what its headers
   * said is observed. So the window holds whenever between request and answer the server counted. Returns the tokens left.
   */
  readonly settle: (
    settlement: {
      readonly bucket: string
      readonly reservation?: Reservation | undefined
      readonly spent: number
      readonly told?: Told | undefined
    }
  ) => Effect.Effect<number, SqlError.SqlError>
  /** Adopts limit and window; where the server counts more used than we do, charges the difference. Never loosens. */
  readonly observe: (told: Told & { readonly bucket: string }) => Effect.Effect<number, SqlError.SqlError>
  /** Stops takes for so long from now. Never shortens a longer pause. */
  readonly pause: (
    pause: { readonly bucket: string; readonly millis: number; readonly reason: string }
  ) => Effect.Effect<void, SqlError.SqlError>
  readonly resume: (bucket: string) => Effect.Effect<void, SqlError.SqlError>
  /** Whether this caller, alone among all replicas, is to probe now; the next probe is then due in `millis`. */
  readonly claimProbe: (
    probe: { readonly bucket: string; readonly millis: number }
  ) => Effect.Effect<boolean, SqlError.SqlError>
  /** By whoever claimed it: when the next probe is due, now that the answer is known. */
  readonly scheduleProbe: (
    probe: { readonly bucket: string; readonly millis: number }
  ) => Effect.Effect<void, SqlError.SqlError>
  /** These buckets, or all; those never heard of are absent. */
  readonly list: (buckets?: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<BucketState>, SqlError.SqlError>
}>()("killmaild/store/RateLimits") {
  static readonly layer = Layer.effect(
    RateLimits,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const committedAlone = <A, E>(effect: Effect.Effect<A, E>) =>
        promptly(
          Effect.updateContext(
            effect,
            (context: Context.Context<never>) => Context.omit(sql.transactionService)(context)
          )
        )

      const takeTokens = ({ bucket, tokens, limit, windowMillis, pausedBy = [] }: TakeRequest) =>
        sql<{ wait: number; slice: number }>`
          select wait, taken_slice as slice from take_tokens(
            ${bucket}, ${tokens}::float8, ${limit}::float8, ${windowMillis}::float8, ${[bucket, ...pausedBy]}::text[]
          )`.pipe(Effect.map(([row]) => row!), committedAlone)

      const take: RateLimits["Service"]["take"] = (request) => Effect.map(takeTokens(request), ({ wait }) => wait)

      const reserve: RateLimits["Service"]["reserve"] = (request) =>
        Effect.map(
          takeTokens(request),
          ({ wait, slice }) =>
            wait === 0 ? { waitMillis: 0, reservation: { tokens: request.tokens, slice } } : { waitMillis: wait }
        )

      const settle: RateLimits["Service"]["settle"] = ({ bucket, reservation, spent, told }) =>
        sql<{ left: number }>`
          select settle_tokens(
            ${bucket}, ${reservation?.tokens ?? 0}::float8, ${reservation?.slice ?? 0}::float8, ${spent}::float8,
            ${told?.limit ?? null}::float8, ${told?.windowMillis ?? null}::float8, ${told?.remaining ?? null}::float8
          ) as left`.pipe(Effect.map(([row]) => row!.left), committedAlone)

      const observe: RateLimits["Service"]["observe"] = ({ bucket, ...told }) => settle({ bucket, spent: 0, told })

      const pause: RateLimits["Service"]["pause"] = ({ bucket, millis, reason }) =>
        sql`
          insert into rate_limits (bucket, paused_until, pause_reason)
          values (${bucket}, clock_timestamp() + ${millis}::float8 * interval '1 ms', ${reason})
          on conflict (bucket) do update
          set paused_until = excluded.paused_until, pause_reason = excluded.pause_reason
          where rate_limits.paused_until is null or rate_limits.paused_until < excluded.paused_until
        `.pipe(Effect.asVoid, committedAlone)

      const resume: RateLimits["Service"]["resume"] = (bucket) =>
        sql`update rate_limits set paused_until = null, pause_reason = null where bucket = ${bucket}`
          .pipe(Effect.asVoid, committedAlone)

      const claimProbe: RateLimits["Service"]["claimProbe"] = ({ bucket, millis }) =>
        sql`
          insert into rate_limits (bucket, probe_at)
          values (${bucket}, clock_timestamp() + ${millis}::float8 * interval '1 ms')
          on conflict (bucket) do update
          set probe_at = excluded.probe_at
          where rate_limits.probe_at is null or rate_limits.probe_at <= clock_timestamp()
          returning bucket
        `.pipe(Effect.map((rows) => rows.length === 1), committedAlone)

      const scheduleProbe: RateLimits["Service"]["scheduleProbe"] = ({ bucket, millis }) =>
        sql`
          update rate_limits
          set probe_at = clock_timestamp() + ${millis}::float8 * interval '1 ms'
          where bucket = ${bucket}
        `.pipe(Effect.asVoid, committedAlone)

      const list: RateLimits["Service"]["list"] = (buckets) =>
        sql<BucketState>`
          select bucket, token_limit as "limit", window_millis as "windowMillis", used_tokens(rate_limits) as used,
            paused_until as "pausedUntil", pause_reason as reason,
            greatest(coalesce(ceil(extract(epoch from paused_until - clock_timestamp()) * 1000), 0), 0)::float8
              as "pauseMillis",
            greatest(coalesce(ceil(extract(epoch from probe_at - clock_timestamp()) * 1000), 0), 0)::float8
              as "probeMillis"
          from rate_limits
          where ${buckets === undefined ? sql`true` : sql.in("bucket", buckets)}
          order by bucket
        `.pipe(committedAlone)

      return RateLimits.of({ take, reserve, settle, observe, pause, resume, claimProbe, scheduleProbe, list })
    })
  )
}
