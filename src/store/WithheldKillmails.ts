/** Killmails that their pilot or corporation holds back from the public: who decides that, who sees them, and their release. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { KillmailRow } from "../domain/Document.ts"
import type { ListKey } from "./KillmailLists.ts"
import { killmailColumns } from "./KillmailReader.ts"
import type { Place } from "./KillmailSearch.ts"

/** Hours after the kill, 0 for what is public at once; null where its owner says nothing. */
export type HeldBack = number | "always" | null

/** `visible_from` is when it becomes public, null for never. */
export type OwnKillmail = KillmailRow & { readonly is_public: boolean; readonly visible_from: Date | null }

/** Ids of all that are held back now; an index serves it. */
export const withheldIds = `(
  select killmail_id from killmail_ledger
  where sequence is null and visible_from > stored_at and visible_from > now())`

export class WithheldKillmails extends Context.Service<WithheldKillmails, {
  /** Whether the user may decide for the list: it is of their character, or of a corporation that one of them directs. */
  readonly mayDecide: (userId: string, list: ListKey) => Effect.Effect<boolean, SqlError.SqlError>
  /**
   * What the list names and is not public yet is held back so long from now on. Of several lists that name it, and say
   * something, the shortest counts. What is public stays so.
   */
  readonly holdBack: (list: ListKey, heldBack: HeldBack) => Effect.Effect<void, SqlError.SqlError>
  /** Gives a sequence to those whose time has come; returns how many. */
  readonly publishDue: Effect.Effect<number, SqlError.SqlError>
  /**
   * Those that ESI lists for the user's characters, or that their corporations hold back: older than `after`, newest first, at
   * most `limit`, public or not. Without items and with the final blow alone.
   */
  readonly ofUser: (
    userId: string,
    options: { readonly after?: Place | undefined; readonly limit: number }
  ) => Effect.Effect<ReadonlyArray<OwnKillmail>, SqlError.SqlError>
}>()("killmaild/store/WithheldKillmails") {
  static readonly layer = Layer.effect(
    WithheldKillmails,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      // Whose token ESI let read the corporation's list of late is a director of it.
      const mayDecide: WithheldKillmails["Service"]["mayDecide"] = (userId, { id, kind }) =>
        Effect.map(
          sql`
            select from user_characters pilot
            left join killmail_lists list on list.kind = 'corporation' and list.id = pilot.corporation_id
              and list.reader_id = pilot.character_id and list.read_at > now() - interval '7 days'
            where pilot.user_id = ${userId}::uuid
              and case ${kind} when 'character' then pilot.character_id else list.id end = ${BigInt(id)}`,
          (rows) => rows.length > 0
        )

      const holdBack: WithheldKillmails["Service"]["holdBack"] = Effect.fnUntraced(
        function*({ id, kind }, heldBack) {
          const interval = heldBack === null ? null : heldBack === "always" ? "infinity" : `${heldBack} hours`
          yield* sql`select lock_hearings()`
          yield* sql`
            insert into killmail_lists (kind, id, held_back)
            values (${kind}, ${BigInt(id)}, ${interval}::interval)
            on conflict (kind, id) do update set held_back = excluded.held_back`
          yield* sql`
            select reconsider_withheld(array(
              select killmail_id
              from killmail_ledger join own_killmails using (killmail_id)
              where kind = ${kind} and id = ${BigInt(id)}
                and sequence is null and visible_from > stored_at and visible_from > clock_timestamp()))`
        },
        (transaction) => sql.withTransaction(transaction)
      )

      const publishDue = Effect.map(
        sql<{ published: number }>`select publish_withheld() as published`,
        ([row]) => row!.published
      )

      const ofUser: WithheldKillmails["Service"]["ofUser"] = (userId, { after, limit }) => {
        const within = (column: string) => sql`${sql.literal(column)} = any(array(select killmail_time from place))`
        const older = after === undefined ? sql`true` : sql`
          (killmail_time, killmail_id) < (${after.killmail_time}::timestamptz, ${BigInt(after.killmail_id)})`
        return sql<OwnKillmail>`
          with pilots as (
            select character_id, corporation_id from user_characters where user_id = ${userId}::uuid
          ),
          place as (
            select killmail_time, killmail_id
            from (
              select killmail_id
              from own_killmails
              where kind = 'character' and id in (select character_id from pilots)
              union
              select killmail_id
              from killmail_ledger
              where owner_id in (select character_id from pilots union select corporation_id from pilots)
            ) own
            join killmail_ledger using (killmail_id)
            where ${older}
            order by killmail_time desc, killmail_id desc
            limit ${limit}
          )
          select ${killmailColumns(sql, { items: false, attackers: false, within })},
            sequence is not null or visible_from <= now() as is_public,
            case when isfinite(visible_from) then visible_from end as visible_from
          from place
          join killmails mail using (killmail_time, killmail_id)
          join killmail_ledger ledger using (killmail_id)
          where ${within("mail.killmail_time")}
          order by place.killmail_time desc, place.killmail_id desc`
      }

      return WithheldKillmails.of({ mayDecide, holdBack, publishDue, ofUser })
    })
  )
}
