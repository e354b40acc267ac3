/** Which killmails webhooks are told of, what became of each, and how far publications were matched with their filters. */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { Filter } from "../domain/Filter.ts"
import { pgColumn } from "./PgArray.ts"
import type { SealedWebhook, WebhookFormat } from "./Webhooks.ts"

/** A killmail that a webhook is to be told of. */
export interface DeliveryKey {
  readonly webhook_id: string
  readonly sequence: number
}

export interface Delivery {
  readonly sequence: number
  readonly killmail_id: number
  readonly status: "waiting" | "delivered" | "failed" | "skipped"
  readonly attempts: number
  readonly http_status: number | null
  readonly error: string | null
  readonly created_at: Date
  readonly ended_at: Date | null
}

/** A delivery that is due, with where it goes. */
export interface DueDelivery extends SealedWebhook {
  readonly killmail_id: number
  readonly attempts: number
  /** Since it was to be sent, milliseconds. */
  readonly age_millis: number
  /** How many killmails the webhook is to be told of before this one, and was not tried to be yet. */
  readonly ahead: number
  readonly format: WebhookFormat
  readonly filter: Filter
}

/** A webhook as new killmails are matched with it. */
export interface ListeningWebhook {
  readonly id: string
  readonly filter: Filter
  /** It hears what comes after this. */
  readonly since: number
}

/** How one try ended. What is to be tried again goes on waiting. */
export interface Outcome {
  readonly status: Delivery["status"]
  readonly httpStatus: number | null
  readonly error: string | null
}

/** So many may wait for one webhook; it is not told of further ones, but can ask for them again. */
export const mostWaiting = 1000

export class WebhookDeliveries extends Context.Service<WebhookDeliveries, {
  /**
   * Holds the place up to which publications were matched, for one transaction and over all replicas; `work` returns the
   * next one. Says whether it moved; false also while another replica is at it.
   */
  readonly follow: <E, R>(
    work: (sequence: number) => Effect.Effect<number, E, R>
  ) => Effect.Effect<boolean, E | SqlError.SqlError, R>
  /** Changes with whatever changes which webhooks and alerts (store/KillmailAlerts.ts) are on, and their filters. */
  readonly version: Effect.Effect<string, SqlError.SqlError>
  readonly listening: Effect.Effect<ReadonlyArray<ListeningWebhook>, SqlError.SqlError>
  /** Adds those that are new, within the caller's transaction; returns what is to be sent, without what is too much. */
  readonly add: (
    deliveries: ReadonlyArray<DeliveryKey & { readonly killmail_id: number }>
  ) => Effect.Effect<ReadonlyArray<DeliveryKey>, SqlError.SqlError>
  /** As `add`, but what was sent before is to be sent again. */
  readonly addAgain: (
    deliveries: ReadonlyArray<DeliveryKey & { readonly killmail_id: number }>
  ) => Effect.Effect<ReadonlyArray<DeliveryKey>, SqlError.SqlError>
  /** None when it was sent, is not to be sent any more, or the webhook is gone. */
  readonly find: (key: DeliveryKey) => Effect.Effect<Option.Option<DueDelivery>, SqlError.SqlError>
  /** Counts a try. */
  readonly settle: (key: DeliveryKey, outcome: Outcome) => Effect.Effect<void, SqlError.SqlError>
  /** One that is not to be sent any more waits no more. */
  readonly skip: (key: DeliveryKey) => Effect.Effect<void, SqlError.SqlError>
  /** Its receiver wants no more: nothing that waits for the webhook is sent. */
  readonly disable: (webhookId: string, because: string) => Effect.Effect<void, SqlError.SqlError>
  /** The newest first, before a sequence. */
  readonly list: (
    webhookId: string,
    before: number | null,
    limit: number
  ) => Effect.Effect<ReadonlyArray<Delivery>, SqlError.SqlError>
  /** How many wait, and for how many seconds the oldest has. */
  readonly backlog: Effect.Effect<
    { readonly waiting: number; readonly oldestSeconds: number; readonly unmatched: number },
    SqlError.SqlError
  >
}>()("killmaild/store/WebhookDeliveries") {
  static readonly layer = Layer.effect(
    WebhookDeliveries,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const follow: WebhookDeliveries["Service"]["follow"] = (work) =>
        sql.withTransaction(Effect.gen(function*() {
          const [progress] = yield* sql<{ sequence: number }>`
            select sequence::float8 as sequence from matching_progress for update skip locked`
          if (progress === undefined) return false
          const next = yield* work(progress.sequence)
          if (next === progress.sequence) return false
          yield* sql`update matching_progress set sequence = ${BigInt(next)}`
          return true
        }))

      // What changed a row gave it another xmin: no clock, and no order of commits, can hide that.
      const version = Effect.map(
        sql<{ version: string }>`
          select coalesce(sum(hashtextextended(row, 0)::numeric), 0)::text as version
          from (
            select id::text || xmin::text as row from webhooks where is_enabled
            union all
            select id::text || killmail_alerts.xmin::text || user_settings.xmin::text
            from killmail_alerts join user_settings using (user_id)
            where is_enabled and notify_killmails
          ) as filters`,
        ([row]) => row!.version
      )

      const listening = sql<ListeningWebhook>`
        select id, filter, since::float8 as since from webhooks where is_enabled`

      const insert = (
        deliveries: ReadonlyArray<DeliveryKey & { readonly killmail_id: number }>,
        isAgain: boolean
      ) =>
        deliveries.length === 0 ? Effect.succeed([]) : Effect.map(
          sql<DeliveryKey & { status: Delivery["status"] }>`
            with wanted as (
              select webhook_id, sequence, killmail_id,
                row_number() over (partition by webhook_id order by sequence) + (
                  select count(*) from webhook_deliveries waiting
                  where waiting.webhook_id = given.webhook_id and status = 'waiting'
                ) as place
              from unnest(
                ${pgColumn(deliveries, ({ webhook_id }) => webhook_id)}::uuid[],
                ${pgColumn(deliveries, ({ sequence }) => sequence)}::bigint[],
                ${pgColumn(deliveries, ({ killmail_id }) => killmail_id)}::bigint[]
              ) as given(webhook_id, sequence, killmail_id)
              join webhooks on webhooks.id = webhook_id
            )
            insert into webhook_deliveries (webhook_id, sequence, killmail_id, status, error, ended_at)
            select webhook_id, sequence, killmail_id,
              case when place > ${mostWaiting} then 'skipped' else 'waiting' end,
              case when place > ${mostWaiting} then 'too many are waiting' end,
              case when place > ${mostWaiting} then now() end
            from wanted
            order by sequence
            on conflict (webhook_id, sequence) do update
              set status = excluded.status, attempts = 0, http_status = null, error = excluded.error,
                created_at = now(), ended_at = excluded.ended_at
              where ${isAgain} and webhook_deliveries.status <> 'waiting'
            returning webhook_id, sequence::float8 as sequence, status`,
          (rows) =>
            rows.filter(({ status }) => status === "waiting")
              .map(({ sequence, webhook_id }) => ({ webhook_id, sequence }))
        )

      const ofKey = ({ sequence, webhook_id }: DeliveryKey) =>
        sql`webhook_id = ${webhook_id}::uuid and sequence = ${BigInt(sequence)}`

      // A failed one comes again when the operator retries its dead letter. What nobody tried for ten minutes has no job that
      // is about to, so that nobody waits behind it.
      const find: WebhookDeliveries["Service"]["find"] = (key) =>
        Effect.map(
          sql<DueDelivery>`
            select killmail_id::float8 as killmail_id, attempts, format, filter, key_id, url, secret,
              (extract(epoch from now() - mine.created_at) * 1000)::float8 as age_millis, ahead
            from webhook_deliveries mine
            join webhooks on webhooks.id = webhook_id,
            lateral (
              select count(*)::int as ahead
              from webhook_deliveries other
              where other.webhook_id = mine.webhook_id and other.sequence < mine.sequence and other.status = 'waiting'
                and other.attempts = 0 and other.created_at > now() - interval '10 minutes'
            ) as queue
            where ${ofKey(key)} and status in ('waiting', 'failed') and is_enabled`,
          ([row]) => Option.fromNullishOr(row)
        )

      const settle: WebhookDeliveries["Service"]["settle"] = (key, { error, httpStatus, status }) =>
        Effect.asVoid(sql`
          update webhook_deliveries
          set status = ${status}, attempts = attempts + 1, http_status = ${httpStatus}, error = ${error},
            ended_at = case when ${status !== "waiting"} then now() end
          where ${ofKey(key)}`)

      const skip: WebhookDeliveries["Service"]["skip"] = (key) =>
        Effect.asVoid(sql`
          update webhook_deliveries set status = 'skipped', error = 'the webhook is disabled', ended_at = now()
          where ${ofKey(key)} and status = 'waiting'`)

      const disable: WebhookDeliveries["Service"]["disable"] = (webhookId, because) =>
        Effect.asVoid(sql`
          update webhooks set is_enabled = false, disabled_because = ${because}
          where id = ${webhookId}::uuid and is_enabled`)

      const list: WebhookDeliveries["Service"]["list"] = (webhookId, before, limit) =>
        sql<Delivery>`
          select sequence::float8 as sequence, killmail_id::float8 as killmail_id, status, attempts, http_status, error,
            created_at, ended_at
          from webhook_deliveries
          where webhook_id = ${webhookId}::uuid
            and (${before}::float8 is null or sequence < ${before}::float8::bigint)
          order by webhook_deliveries.sequence desc
          limit ${limit}`

      const backlog = Effect.map(
        sql<{ waiting: number; oldestSeconds: number; unmatched: number }>`
          select count(*)::int as waiting,
            coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as "oldestSeconds",
            (select coalesce(max(sequence), 0) from killmail_ledger)::float8
              - (select sequence from matching_progress)::float8 as unmatched
          from webhook_deliveries
          where status = 'waiting'`,
        ([row]) => row!
      )

      return WebhookDeliveries.of({
        follow,
        version,
        listening,
        add: (deliveries) => insert(deliveries, false),
        addAgain: (deliveries) => insert(deliveries, true),
        find,
        settle,
        skip,
        disable,
        list,
        backlog
      })
    })
  )
}
