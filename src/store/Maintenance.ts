/** Upkeep of the tables: months made ahead of time, and what has served its time thrown away. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"

/** Months that exist before their first killmail. */
export const monthsAhead = 6
/** After the end of a month, in days: until then late killmails come often. */
const daysUntilFrozen = 14
/** In one run, which takes some seconds each: history is frozen in time, too. */
const mostFrozen = 12
/** Days that a row of `job_runs` is kept. */
const daysOfJobRuns = 7

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
  /** Removes old job runs, and jobs that the queue gave up without a dead letter become one. */
  /** How many rows went, by table; jobs that nothing would fetch again become dead letters. */
  readonly cleanUp: Effect.Effect<
    { readonly job_runs: number; readonly given_up: number; readonly revaluations: number },
    SqlError.SqlError
  >
}>()("killmaild/store/Maintenance") {
  static readonly layer = Layer.effect(
    Maintenance,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const cleanUp = Effect.gen(function*() {
        const runs = yield* sql`
          delete from job_runs where started_at < now() - ${daysOfJobRuns} * interval '1 day' returning 1`
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
        const told = yield* sql`delete from revaluations where at < now() - interval '1 day' returning 1`
        return { job_runs: runs.length, given_up: givenUp.length, revaluations: told.length }
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
