/** Webhooks as users and the operator keep them. Their URLs and secrets are encrypted before they come here. */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { Filter } from "../domain/Filter.ts"

export type WebhookFormat = "discord" | "slack" | "json"

/** A user's id, or null for the operator. */
export type Owner = string | null

export interface Webhook {
  readonly id: string
  readonly name: string
  readonly format: WebhookFormat
  /** Scheme, host and port of its URL: what of it is no secret. */
  readonly origin: string
  readonly filter: Filter
  readonly is_enabled: boolean
  /** What its receiver said that made it of no use; null when its owner disabled it. */
  readonly disabled_because: string | null
  readonly created_at: Date
  readonly waiting: number
  readonly delivered_at: Date | null
}

/** What of a webhook nobody may read, encrypted under the key of this id. `secret` signs JSON; others have none. */
export interface SealedWebhook {
  readonly key_id: string
  readonly url: Uint8Array
  readonly secret: Uint8Array | null
}

export interface KeptWebhook extends SealedWebhook {
  readonly id: string
}

export interface NewWebhook
  extends SealedWebhook, Pick<Webhook, "id" | "name" | "format" | "origin" | "filter" | "is_enabled">
{}

/** What is absent stays as it is. */
export interface WebhookChange {
  readonly name?: string
  readonly filter?: Filter
  readonly is_enabled?: boolean
  readonly target?: SealedWebhook & { readonly origin: string }
}

export class Webhooks extends Context.Service<Webhooks, {
  readonly list: (owner: Owner) => Effect.Effect<ReadonlyArray<Webhook>, SqlError.SqlError>
  readonly find: (owner: Owner, id: string) => Effect.Effect<Option.Option<Webhook>, SqlError.SqlError>
  /** It hears what is published from now on. False, and nothing is kept, when its owner has `most` already. */
  readonly create: (owner: Owner, webhook: NewWebhook, most: number) => Effect.Effect<boolean, SqlError.SqlError>
  /** One that is enabled again hears what is published from now on. False when there is none such. */
  readonly change: (owner: Owner, id: string, change: WebhookChange) => Effect.Effect<boolean, SqlError.SqlError>
  readonly remove: (owner: Owner, id: string) => Effect.Effect<boolean, SqlError.SqlError>
  /** Its URL and secret, for whoever may send there. */
  readonly sealed: (id: string) => Effect.Effect<Option.Option<SealedWebhook>, SqlError.SqlError>
  /** Those whose secrets are under another key, by id after the given one. */
  readonly encryptedOtherwise: (
    keyId: string,
    after: string | null,
    limit: number
  ) => Effect.Effect<ReadonlyArray<KeptWebhook>, SqlError.SqlError>
  /** False when it was changed meanwhile. */
  readonly reseal: (before: KeptWebhook, after: SealedWebhook) => Effect.Effect<boolean, SqlError.SqlError>
  /** How many are under each key. */
  readonly keysInUse: Effect.Effect<
    ReadonlyArray<{ readonly key_id: string; readonly webhooks: number }>,
    SqlError.SqlError
  >
}>()("killmaild/store/Webhooks") {
  static readonly layer = Layer.effect(
    Webhooks,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const lastSequence = sql`(select coalesce(max(sequence), 0) from killmail_ledger)`
      const ownedBy = (owner: Owner) => sql`user_id is not distinct from ${owner}::uuid`

      const select = (owner: Owner, id: string | null) =>
        sql<Webhook>`
          select id, name, format, origin, filter, is_enabled, disabled_because, created_at,
            (select count(*) from webhook_deliveries where webhook_id = webhooks.id and status = 'waiting')::int
              as waiting,
            (select max(ended_at) from webhook_deliveries where webhook_id = webhooks.id and status = 'delivered')
              as delivered_at
          from webhooks
          where ${ownedBy(owner)} and (${id}::uuid is null or id = ${id}::uuid)
          order by id`

      const find: Webhooks["Service"]["find"] = (owner, id) =>
        Effect.map(select(owner, id), ([row]) => Option.fromNullishOr(row))

      // One at a time for each owner: two that come at once must not both be the last one allowed.
      const create: Webhooks["Service"]["create"] = (owner, webhook, most) =>
        sql.withTransaction(Effect.gen(function*() {
          yield* sql`select pg_advisory_xact_lock(hashtext('webhooks'), hashtext(${owner ?? ""}))`
          const rows = yield* sql`
            insert into webhooks (id, user_id, name, format, origin, key_id, url, secret, filter, is_enabled, since)
            select ${webhook.id}::uuid, ${owner}::uuid, ${webhook.name}, ${webhook.format}, ${webhook.origin},
              ${webhook.key_id}, ${webhook.url}, ${webhook.secret}, ${JSON.stringify(webhook.filter)}::text::jsonb,
              ${webhook.is_enabled}, ${lastSequence}
            where (select count(*) from webhooks where ${ownedBy(owner)}) < ${most}
            returning 1`
          return rows.length === 1
        }))

      const change: Webhooks["Service"]["change"] = (owner, id, { is_enabled, filter, name, target }) =>
        Effect.map(
          sql`
            update webhooks
            set name = coalesce(${name ?? null}, name),
              filter = coalesce(${filter === undefined ? null : JSON.stringify(filter)}::text::jsonb, filter),
              origin = coalesce(${target?.origin ?? null}, origin),
              key_id = coalesce(${target?.key_id ?? null}, key_id),
              url = coalesce(${target?.url ?? null}::bytea, url),
              secret = case when ${target !== undefined} then ${target?.secret ?? null}::bytea else secret end,
              since = case when ${is_enabled === true} and not is_enabled then ${lastSequence} else since end,
              disabled_because = case when ${is_enabled === undefined} then disabled_because end,
              is_enabled = coalesce(${is_enabled ?? null}::boolean, is_enabled)
            where id = ${id}::uuid and ${ownedBy(owner)}
            returning 1`,
          (rows) => rows.length === 1
        )

      const remove: Webhooks["Service"]["remove"] = (owner, id) =>
        Effect.map(
          sql`delete from webhooks where id = ${id}::uuid and ${ownedBy(owner)} returning 1`,
          (rows) => rows.length === 1
        )

      const sealed: Webhooks["Service"]["sealed"] = (id) =>
        Effect.map(
          sql<SealedWebhook>`select key_id, url, secret from webhooks where id = ${id}::uuid`,
          ([row]) => Option.fromNullishOr(row)
        )

      const encryptedOtherwise: Webhooks["Service"]["encryptedOtherwise"] = (keyId, after, limit) =>
        sql<KeptWebhook>`
          select id, key_id, url, secret
          from webhooks
          where key_id <> ${keyId} and (${after}::uuid is null or id > ${after}::uuid)
          order by id
          limit ${limit}`

      const reseal: Webhooks["Service"]["reseal"] = (before, after) =>
        Effect.map(
          sql`
            update webhooks
            set key_id = ${after.key_id}, url = ${after.url}, secret = ${after.secret}
            where id = ${before.id}::uuid and url = ${before.url}
            returning 1`,
          (rows) => rows.length === 1
        )

      const keysInUse = sql<{ key_id: string; webhooks: number }>`
        select key_id, count(*)::int as webhooks from webhooks group by key_id order by key_id`

      return Webhooks.of({
        list: (owner) => select(owner, null),
        find,
        create,
        change,
        remove,
        sealed,
        encryptedOtherwise,
        reseal,
        keysInUse
      })
    })
  )
}
