/**
 * Reads killmails, and only what is public now: every read goes through the ledger. A killmail with a sequence was told to
 * the world and stays public; one without is public once its `visible_from` has passed.
 */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError, type Statement } from "effect/sql"
import type { KillmailRow } from "../domain/Document.ts"
import type { Filter } from "../domain/Filter.ts"
import { conditionsOf, inSpan } from "./FilterSql.ts"

/** A publication: the killmail and the trace that stored it. */
export interface Publication {
  readonly sequence: number
  readonly traceparent: string | null
  readonly storedAt: Date
  readonly row: KillmailRow
}

export class KillmailReader extends Context.Service<KillmailReader, {
  readonly find: (killmailId: number) => Effect.Effect<Option.Option<KillmailRow>, SqlError.SqlError>
  /** Publications after this sequence, in order, at most `limit`. */
  readonly publishedAfter: (
    sequence: number,
    limit: number
  ) => Effect.Effect<ReadonlyArray<Publication>, SqlError.SqlError>
  /** Publications after a sequence up to another that fit the filter, in order, at most `limit`. */
  readonly publishedBetween: (
    after: number,
    upTo: number,
    filter: Filter,
    limit: number
  ) => Effect.Effect<ReadonlyArray<Publication>, SqlError.SqlError>
  /** The last sequence given out; 0 before the first. */
  readonly lastSequence: Effect.Effect<number, SqlError.SqlError>
  /** Sequences mean something within one epoch only. */
  readonly epoch: Effect.Effect<string, SqlError.SqlError>
}>()("killmaild/store/KillmailReader") {
  static readonly layer = Layer.effect(
    KillmailReader,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      type Row = KillmailRow & { readonly stored_at: Date; readonly traceparent: string | null }
      type PublishedRow = Row & { readonly sequence: number }

      const find = Effect.fn("KillmailReader.find")(function*(killmailId: number) {
        const [known] = yield* sql<{ time: string }>`
          select to_json(killmail_time) #>> '{}' as time from killmail_ledger where killmail_id = ${BigInt(killmailId)}`
        if (known === undefined) return Option.none()
        const rows = yield* sql<Row>`
          select ${
          killmailColumns(sql, { within: (column) => sql`${sql.literal(column)} = ${known.time}::timestamptz` })
        }
          from killmail_ledger ledger
          join killmails mail on mail.killmail_id = ledger.killmail_id and mail.killmail_time = ${known.time}::timestamptz
          where ledger.killmail_id = ${BigInt(killmailId)}
            and (ledger.sequence is not null or ledger.visible_from <= clock_timestamp())`
        return Option.fromNullishOr(rows[0])
      })

      /** When the killmails of these sequences happened, mostly in one month, and the last sequence that is there. */
      const extentOf = Effect.fnUntraced(function*(after: number, upTo: number) {
        const [extent] = yield* sql<Extent>`
          select max(sequence)::float8 as "lastSequence", to_json(min(killmail_time)) #>> '{}' as first,
            to_json(max(killmail_time)) #>> '{}' as last
          from killmail_ledger
          where sequence > ${BigInt(after)} and sequence <= ${BigInt(upTo)}
          having count(*) > 0`
        return extent
      })

      // By sequence alone: no clock decides. A statement that began before a neighbour's transaction, and sees its commit,
      // would find the neighbour's visible_from in its future, and tell the next sequence first.
      const published = Effect.fnUntraced(function*(after: number, upTo: number, filter: Filter, limit: number) {
        const extent = yield* extentOf(after, upTo)
        if (extent === undefined) return []
        // What was published since is left for the next time: it may be of other months.
        const { first, last, lastSequence } = extent
        const span = { first, last: new Date(Date.parse(last) + 1000).toISOString() }
        const rows = yield* sql<PublishedRow>`
          select ${killmailColumns(sql, { within: (column) => inSpan(sql, column, span) })}
          from killmail_ledger ledger
          join killmails mail using (killmail_time, killmail_id)
          where ledger.sequence > ${BigInt(after)}
            and ledger.sequence <= ${BigInt(lastSequence)}
            and ${sql.and([inSpan(sql, "mail.killmail_time", span), ...conditionsOf(sql, filter, span)])}
          order by ledger.sequence
          limit ${limit}`
        return rows.map(publicationOf)
      })

      // Sequences are dense: no more than the limit are after this one and up to that.
      const publishedAfter = Effect.fn("KillmailReader.publishedAfter")(
        (sequence: number, limit: number) => published(sequence, sequence + limit, {}, limit)
      )
      const publishedBetween = Effect.fn("KillmailReader.publishedBetween")(published)

      const publicationOf = (row: PublishedRow): Publication => ({
        sequence: row.sequence,
        traceparent: row.traceparent,
        storedAt: row.stored_at,
        row
      })

      const lastSequence = Effect.map(
        sql<{ last: number }>`select coalesce(max(sequence), 0)::float8 as last from killmail_ledger`,
        ([row]) => row!.last
      )

      const epoch = Effect.map(sql<{ id: string }>`select id from epoch`, ([row]) => row!.id)

      return KillmailReader.of({ find, publishedAfter, publishedBetween, lastSequence, epoch })
    })
  )
}

interface Extent {
  readonly first: string
  readonly last: string
  readonly lastSequence: number
}

/** What spares work where a page of killmails is read. */
export interface ColumnOptions {
  /** Without items their list is empty. */
  readonly items?: boolean | undefined
  /** Without attackers there is only who fired the final blow. */
  readonly attackers?: boolean | undefined
  /** Of a column, the times of the killmails: what no month can be is not even planned for. */
  readonly within?: ((column: string) => Statement.Fragment) | undefined
}

/**
 * A `KillmailRow` of `killmail_ledger ledger` and `killmails mail`. bigint and numeric become float8: ids and ISK are JSON
 * numbers, exact below 2^53.
 */
export const killmailColumns = (
  sql: SqlClient.SqlClient,
  { attackers = true, items = true, within }: ColumnOptions = {}
) => {
  const ofMail = sql.and([
    "part.killmail_time = mail.killmail_time",
    "part.killmail_id = mail.killmail_id",
    ...(within === undefined ? [] : [within("part.killmail_time")])
  ])
  return sql`
  ledger.sequence::float8 as sequence, encode(ledger.hash, 'hex') as hash, ledger.traceparent, ledger.stored_at,
  mail.killmail_id::float8 as killmail_id, to_json(mail.killmail_time) #>> '{}' as killmail_time,
  mail.solar_system_id, mail.war_id::float8 as war_id, mail.moon_id::float8 as moon_id,
  mail.victim_character_id::float8 as victim_character_id,
  mail.victim_corporation_id::float8 as victim_corporation_id,
  mail.victim_alliance_id::float8 as victim_alliance_id, mail.victim_faction_id::float8 as victim_faction_id,
  mail.victim_ship_type_id, mail.victim_damage_taken::float8 as victim_damage_taken, mail.x, mail.y, mail.z,
  mail.location_id::float8 as location_id,
  mail.destroyed_value::float8 as destroyed_value, mail.dropped_value::float8 as dropped_value,
  mail.fitted_value::float8 as fitted_value, mail.total_value::float8 as total_value, mail.unpriced_items,
  mail.attacker_count, mail.points, mail.is_npc, mail.is_solo, mail.is_awox, mail.labels,
  (select coalesce(json_agg(json_build_object('character_id', character_id, 'corporation_id', corporation_id,
      'alliance_id', alliance_id, 'faction_id', faction_id, 'ship_type_id', ship_type_id,
      'weapon_type_id', weapon_type_id, 'damage_done', damage_done, 'final_blow', final_blow,
      'security_status', security_status) order by ordinal), '[]')
    from attackers part
    where ${ofMail}${attackers ? sql.literal("") : sql` and final_blow`}) as attackers,
  ${
    items
      ? sql`(select coalesce(json_agg(json_build_object('ordinal', ordinal, 'parent_ordinal', parent_ordinal,
      'item_type_id', item_type_id, 'flag', flag, 'singleton', singleton, 'quantity_dropped', quantity_dropped,
      'quantity_destroyed', quantity_destroyed) order by ordinal), '[]')
    from items part
    where ${ofMail})`
      : sql.literal("'[]'::json")
  } as items`
}
