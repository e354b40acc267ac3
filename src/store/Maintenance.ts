/** Upkeep of the tables: months made ahead of time, and what has served its time thrown away. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"

/** Months that exist before their first killmail. */
export const monthsAhead = 6
/** After the end of a month, in days: until then late killmails come often. */
const daysUntilFrozen = 14
/** In one run, which takes some seconds each: history is frozen in time, too. */
const mostFrozen = 12

/** Rows that go; `docs/operations.md` has the list. */
const old = {
  job_runs: "started_at < now() - interval '7 days'",
  revaluations: "at < now() - interval '1 day'",
  sightings: "heard_at < now() - interval '90 days'",
  // One is open as long as it has no time.
  gaps: "closed_at < now() - interval '400 days'",
  // What ESI refused for good is known for ever, or it would be asked for again.
  dead_letters: "at < now() - interval '90 days' and reason not in ('not_found', 'hash_mismatch')",
  webhook_deliveries: "ended_at < now() - interval '7 days'",
  notifications: `created_at < now() - interval '180 days'
    or status = 'read' and read_at < now() - interval '30 days'`,
  character_changes: "noticed_at < now() - interval '180 days'",
  // Of a pilot or a webhook: there are many, and one that was not used for so long is as good as new.
  rate_limits: `bucket ~ '^(webhook:|esi:.*:\\d+$)'
    and coalesce(slice * window_millis / 60, 0) < extract(epoch from now() - interval '1 day') * 1000
    and coalesce(greatest(paused_until, probe_at) < now() - interval '1 day', true)`,
  cached_data: "expires_at < now()",
  sessions: "expires_at < now()",
  sign_ins: "expires_at < now()",
  app_codes: "expires_at < now()"
}
type Trimmed = keyof typeof old

/** Rows of one transaction, so that none is long. */
const rowsAtOnce = 20_000

export class Maintenance extends Context.Service<Maintenance, {
  /** Creates the partitions of last month up to `monthsAhead`; returns how many tables were new. */
  readonly createPartitions: Effect.Effect<number, SqlError.SqlError>
  /** Days until the first killmail that would have no table to go to, as far as two years ahead. */
  readonly daysLeft: Effect.Effect<number, SqlError.SqlError>
  /**
   * Freezes and analyses months that are over for good, once, so that no later vacuum has to read them; returns how many.
   * Readers and writers go on meanwhile.
   */
  readonly freezeMonths: Effect.Effect<number, SqlError.SqlError>
  /** Throws away what is old, and makes jobs that nothing would fetch again dead letters; how many rows went, by table. */
  readonly cleanUp: Effect.Effect<Readonly<Record<Trimmed | "given_up", number>>, SqlError.SqlError>
}>()("killmaild/store/Maintenance") {
  static readonly layer = Layer.effect(
    Maintenance,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const trim = Effect.fnUntraced(function*(table: Trimmed) {
        let gone = 0
        for (;;) {
          const [row] = yield* sql<{ count: number }>`
            with gone as (
              delete from ${sql(table)}
              where ctid = any(array(
                select ctid from ${sql(table)} where ${sql.literal(old[table])} limit ${rowsAtOnce}))
              returning 1
            )
            select count(*)::integer as count from gone`
          gone += row!.count
          if (row!.count < rowsAtOnce) return gone
        }
      })

      const cleanUp = Effect.gen(function*() {
        // One without a key lost it, and its attempts, to a newer job while it ran: that one goes on for it.
        const givenUp = yield* sql`
          with given_up as (
            delete from graphile_worker._private_jobs
            where attempts >= max_attempts and locked_at is null
            returning *
          )
          insert into dead_letters (task, key, payload, reason, error, attempts, priority)
          select tasks.identifier, given_up.key, payload, 'given_up', coalesce(last_error, ''), attempts, priority
          from given_up join graphile_worker._private_tasks tasks on tasks.id = task_id
          where given_up.key is not null
          on conflict (task, key) do update set payload = excluded.payload, reason = excluded.reason,
            error = excluded.error, attempts = excluded.attempts, priority = excluded.priority, at = now()
          returning 1`
        const tables = Object.keys(old) as ReadonlyArray<Trimmed>
        const trimmed = yield* Effect.forEach(
          tables,
          (table) => Effect.map(trim(table), (gone) => [table, gone] as const)
        )
        return { ...Object.fromEntries(trimmed) as Record<Trimmed, number>, given_up: givenUp.length }
      })

      const daysLeft = Effect.map(
        sql<{ days: number }>`
          select extract(epoch from coalesce(min(month), now() at time zone 'UTC' + interval '2 years')
            - now() at time zone 'UTC')::float8 / 86400 as days
          from generate_series(
            date_trunc('month', now() at time zone 'UTC'), now() at time zone 'UTC' + interval '2 years', interval '1 month'
          ) month
          where exists (
            select from unnest(array['killmails', 'attackers', 'items']) parent
            where to_regclass(parent || '_' || to_char(month, 'YYYY_MM')) is null)`,
        ([row]) => Math.max(0, row!.days)
      )

      // VACUUM runs in no transaction: one that was interrupted is done again, at little cost.
      const freezeMonths = Effect.gen(function*() {
        const months = yield* sql<{ month: string }>`
          select month::text as month from unfrozen_months(${daysUntilFrozen}) month limit ${mostFrozen}`
        for (const { month } of months) {
          for (const table of ["killmails", "attackers", "items"]) {
            yield* sql`vacuum (freeze, analyze) ${sql(`${table}_${month.slice(0, 7).replace("-", "_")}`)}`
          }
          yield* sql`
            insert into frozen_months (month) values (${month}::date)
            on conflict (month) do update set frozen_at = excluded.frozen_at`
        }
        return months.length
      })

      return Maintenance.of({
        daysLeft,
        freezeMonths,
        createPartitions: Effect.provideService(createPartitions, SqlClient.SqlClient, sql),
        cleanUp
      })
    })
  )
}

export const createPartitions = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ created: number }>`
    select ensure_killmail_partitions(
      (now() at time zone 'UTC' - interval '1 month')::date,
      (now() at time zone 'UTC' + ${monthsAhead} * interval '1 month')::date) as created`
  return row!.created
})
