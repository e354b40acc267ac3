/** Filters of users: whatever killmail fits one is told to them. */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { Filter } from "../domain/Filter.ts"

export interface KillmailAlert {
  readonly id: string
  readonly name: string
  readonly filter: Filter
  readonly is_enabled: boolean
  readonly created_at: Date
}

type Wanted = Pick<KillmailAlert, "name" | "filter" | "is_enabled">

/** Of one user. */
export const mostAlerts = 50

export class KillmailAlerts extends Context.Service<KillmailAlerts, {
  readonly list: (userId: string) => Effect.Effect<ReadonlyArray<KillmailAlert>, SqlError.SqlError>
  /** None when the user has `mostAlerts` already. */
  readonly create: (userId: string, alert: Wanted) => Effect.Effect<Option.Option<KillmailAlert>, SqlError.SqlError>
  /** None when it is not the user's. */
  readonly change: (
    userId: string,
    id: string,
    alert: Partial<Wanted>
  ) => Effect.Effect<Option.Option<KillmailAlert>, SqlError.SqlError>
  readonly remove: (userId: string, id: string) => Effect.Effect<boolean, SqlError.SqlError>
  /** Of all users who want to be told of killmails, those that are on. */
  readonly enabled: Effect.Effect<
    ReadonlyArray<Pick<KillmailAlert, "id" | "name" | "filter"> & { readonly user_id: string }>,
    SqlError.SqlError
  >
}>()("killmaild/store/KillmailAlerts") {
  static readonly layer = Layer.effect(
    KillmailAlerts,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const columns = sql`id, name, filter, is_enabled, created_at`

      const list: KillmailAlerts["Service"]["list"] = (userId) =>
        sql<KillmailAlert>`
          select ${columns} from killmail_alerts where user_id = ${userId}::uuid order by id`

      const create: KillmailAlerts["Service"]["create"] = Effect.fnUntraced(
        function*(userId, { filter, is_enabled, name }) {
          // Of two at once the second one counts the first, too.
          yield* sql`select from users where id = ${userId}::uuid for update`
          const [row] = yield* sql<KillmailAlert>`
            insert into killmail_alerts (user_id, name, filter, is_enabled)
            select ${userId}::uuid, ${name}, ${JSON.stringify(filter)}::jsonb, ${is_enabled}
            where (select count(*) from killmail_alerts where user_id = ${userId}::uuid) < ${mostAlerts}
            returning ${columns}`
          return Option.fromNullishOr(row)
        },
        (transaction) => sql.withTransaction(transaction)
      )

      const change: KillmailAlerts["Service"]["change"] = (userId, id, { filter, is_enabled, name }) =>
        Effect.map(
          sql<KillmailAlert>`
            update killmail_alerts
            set name = coalesce(${name ?? null}, name),
              filter = coalesce(${filter === undefined ? null : JSON.stringify(filter)}::jsonb, filter),
              is_enabled = coalesce(${is_enabled ?? null}::boolean, is_enabled)
            where user_id = ${userId}::uuid and id = ${id}::uuid
            returning ${columns}`,
          ([row]) => Option.fromNullishOr(row)
        )

      const remove: KillmailAlerts["Service"]["remove"] = (userId, id) =>
        Effect.map(
          sql`delete from killmail_alerts where user_id = ${userId}::uuid and id = ${id}::uuid returning 1`,
          (rows) => rows.length === 1
        )

      const enabled = sql<Pick<KillmailAlert, "id" | "name" | "filter"> & { readonly user_id: string }>`
        select id, user_id, name, filter
        from killmail_alerts join user_settings using (user_id)
        where is_enabled and notify_killmails
        order by id`

      return KillmailAlerts.of({ list, create, change, remove, enabled })
    })
  )
}
