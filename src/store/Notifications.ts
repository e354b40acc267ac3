/** What users are told of, once each, as far as their settings allow. */
import { Context, Effect, Layer, Option, type Schema } from "effect"
import { SqlClient, type SqlError } from "effect/sql"

/** What it is about, and the toggle of `user_settings` that allows it. */
export const toggles = {
  skill_done: "notify_skills",
  order_filled: "notify_orders",
  order_expired: "notify_orders",
  job_done: "notify_industry",
  extractor_finished: "notify_planets",
  mail_received: "notify_mail",
  killmail_matched: "notify_killmails"
} as const
export type NotificationKind = keyof typeof toggles
export const notificationKinds = Object.keys(toggles) as ReadonlyArray<NotificationKind>

/** `pending`: no device was told yet; `failed`: none could be told. Both are in the list all the same. */
export const notificationStatuses = ["pending", "sent", "read", "failed"] as const
export type NotificationStatus = typeof notificationStatuses[number]

export interface News {
  readonly user_id: string
  /** Whose data changed; null for what is about none of the user's characters. */
  readonly character_id: number | null
  readonly kind: NotificationKind
  /** With the kind, what makes two news of a user the same: such as the killmail's id. */
  readonly subject: string
  readonly data: Schema.JsonObject
}

export interface Notification {
  readonly id: string
  readonly character_id: number | null
  readonly kind: NotificationKind
  readonly data: Schema.JsonObject
  readonly status: NotificationStatus
  readonly created_at: Date
  readonly sent_at: Date | null
  readonly read_at: Date | null
}

export class Notifications extends Context.Service<Notifications, {
  /**
   * Inside `sql.withTransaction` they exist when, and only if, that commits; so do the jobs that tell the user's devices.
   * Leaves out what the user does not want to be told, and what was told before; returns how many are new.
   */
  readonly add: (news: ReadonlyArray<News>) => Effect.Effect<number, SqlError.SqlError>
  /** Newest first, of these statuses, before the one with the id `before`. */
  readonly list: (
    userId: string,
    page: {
      readonly statuses: ReadonlyArray<NotificationStatus>
      readonly before: string | undefined
      readonly limit: number
    }
  ) => Effect.Effect<ReadonlyArray<Notification>, SqlError.SqlError>
  /** How many were not read. */
  readonly unread: (userId: string) => Effect.Effect<number, SqlError.SqlError>
  /** One of the user's, or all; returns how many of them there are that are read now. */
  readonly markRead: (userId: string, id?: string) => Effect.Effect<number, SqlError.SqlError>
  /** With where the session's messages go; none when either is gone, or the user has read it already. */
  readonly forDevice: (
    id: string,
    sessionId: string
  ) => Effect.Effect<
    Option.Option<Notification & { readonly push_token: string }>,
    SqlError.SqlError
  >
  /** What became of telling a device: `sent` holds for good, as one device is enough. */
  readonly settle: (id: string, status: "sent" | "failed") => Effect.Effect<void, SqlError.SqlError>
}>()("killmaild/store/Notifications") {
  static readonly layer = Layer.effect(
    Notifications,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const columns = sql`notifications.id, notifications.character_id::float8 as character_id, kind, data, status,
        notifications.created_at, sent_at, read_at`

      const add: Notifications["Service"]["add"] = Effect.fn("Notifications.add")(function*(news) {
        if (news.length === 0) return 0
        const [row] = yield* sql<{ told: number }>`
          with told as (
            insert into notifications (user_id, character_id, kind, subject, data)
            select user_id, news.character_id, news.kind, news.subject, news.data
            from rows from (
                jsonb_to_recordset(${JSON.stringify(news)}::jsonb)
                as (user_id uuid, character_id bigint, kind text, subject text, data jsonb)
              ) with ordinality as news(user_id, character_id, kind, subject, data, position)
              join user_settings using (user_id)
            where (to_jsonb(user_settings) ->> (${JSON.stringify(toggles)}::jsonb ->> news.kind))::boolean
            order by position
            on conflict (user_id, kind, subject) do nothing
            returning id, user_id
          ),
          pushed as (
            select added.id
            from told
              join sessions using (user_id),
              lateral graphile_worker.add_job(
                'deliver_push', json_build_object('notification_id', told.id, 'session_id', sessions.id),
                max_attempts => 3, job_key => 'deliver_push:' || told.id || ':' || sessions.id, priority => 10
              ) added
            where push_token is not null and expires_at > now()
          )
          select (select count(*) from told)::int as told, (select count(*) from pushed)::int as pushed`
        return row!.told
      })

      const list: Notifications["Service"]["list"] = (userId, { before, limit, statuses }) =>
        sql<Notification>`
          select ${columns}
          from notifications
          where user_id = ${userId}::uuid and status = any(${[...statuses]}::text[])
            and (${before ?? null}::uuid is null or id < ${before ?? null}::uuid)
          order by id desc
          limit ${limit}`

      const unread: Notifications["Service"]["unread"] = (userId) =>
        Effect.map(
          sql<{ unread: number }>`
            select count(*)::int as unread from notifications where user_id = ${userId}::uuid and status <> 'read'`,
          ([row]) => row!.unread
        )

      const markRead: Notifications["Service"]["markRead"] = (userId, id) =>
        Effect.map(
          sql`
            update notifications
            set status = 'read', read_at = coalesce(read_at, now())
            where user_id = ${userId}::uuid
              and case when ${id ?? null}::uuid is null then status <> 'read' else id = ${id ?? null}::uuid end
            returning 1`,
          (rows) => rows.length
        )

      const forDevice: Notifications["Service"]["forDevice"] = (id, sessionId) =>
        Effect.map(
          sql<Notification & { readonly push_token: string }>`
            select ${columns}, push_token
            from notifications join sessions using (user_id)
            where notifications.id = ${id}::uuid and sessions.id = ${sessionId}::uuid
              and push_token is not null and expires_at > now() and status <> 'read'`,
          ([row]) => Option.fromNullishOr(row)
        )

      const settle: Notifications["Service"]["settle"] = (id, status) =>
        Effect.asVoid(sql`
          update notifications
          set status = ${status}, sent_at = case when ${status} = 'sent' then coalesce(sent_at, now()) end
          where id = ${id}::uuid and status in ('pending', 'failed')`)

      return Notifications.of({ add, list, unread, markRead, forDevice, settle })
    })
  )
}
