/**
 * The lists of killmails that ESI keeps for pilots and corporations: when each is to be read, how far a reading is, and what
 * was named. A reading that is cut off goes on where it was; of a corporation one director reads at a time.
 */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { KillmailRef } from "../domain/Killmail.ts"
import { pgArray, pgColumn } from "./PgArray.ts"

export interface ListKey {
  readonly kind: "character" | "corporation"
  readonly id: number
}

/** What a reading begins with. */
export interface Reading {
  readonly page: number
  /** Of the first page, as it was last; none where that was not so. */
  readonly etag: string | null
  /** It goes to the last page, whatever is known; else to one that names nothing new. */
  readonly reads_all: boolean
}

/** A page that was read. */
export interface ReadPage {
  readonly page: number
  /** Undefined where it is as it was. */
  readonly refs: ReadonlyArray<KillmailRef> | undefined
  readonly etag: string | undefined
  readonly isLast: boolean
  /** Milliseconds during which ESI is not to be asked again. */
  readonly freshMillis: number
}

/** Of the refs of a page, those that the list names for the first time, and how many of these were here already. */
export interface Named {
  readonly fresh: ReadonlyArray<KillmailRef>
  readonly known: number
  /** The reading ended with this page. */
  readonly isOver: boolean
}

/** What one's own list, or that of a corporation which one's character reads, has told. */
export interface ListStatus extends ListKey {
  /** The pilot with whose token it is read. */
  readonly character_id: number
  readonly name: string
  /** When it was read to its end, and when it is due again. */
  readonly read_at: Date | null
  readonly next_at: Date
  /** In hours after the kill; null where its owner said nothing. */
  readonly held_back: number | "always" | null
  /** Killmails that it named: of these new here, here already, and those that could not be had. */
  readonly found: number
  readonly new: number
  readonly known: number
  readonly failed: number
}

export class KillmailLists extends Context.Service<KillmailLists, {
  /**
   * Begins a reading, or goes on with one; none when it is not due, while ESI's last answer is fresh, or while another reads.
   * `isAsked`: somebody wants it now. All pages are read when `readsAll`, and when that was so long ago.
   */
  readonly open: (list: ListKey, options: {
    readonly readerId: number
    readonly leaseMillis: number
    readonly isAsked: boolean
    readonly readsAll: boolean
    readonly wholeMillis: number
  }) => Effect.Effect<Option.Option<Reading>, SqlError.SqlError>
  /**
   * Notes in one transaction what a page names, how far the reading is, and what `hear` does about those that are new. After the
   * reading the next is due, by what `paceOf` says of the milliseconds since the newest killmail.
   */
  readonly note: (list: ListKey, reading: Reading, page: ReadPage, then: {
    readonly hear: (refs: ReadonlyArray<KillmailRef>) => Effect.Effect<unknown, SqlError.SqlError>
    readonly paceOf: (quietMillis: number) => number
  }) => Effect.Effect<Named, SqlError.SqlError>
  /** Of a user's characters, or of these. */
  readonly statuses: (
    of: { readonly userId: string } | { readonly characterIds: ReadonlyArray<number> }
  ) => Effect.Effect<ReadonlyArray<ListStatus>, SqlError.SqlError>
  /** Killmails that the lists of these named and that are neither here nor given up. */
  readonly coming: (characterIds: ReadonlyArray<number>) => Effect.Effect<number, SqlError.SqlError>
  /** Milliseconds for which ESI's last answer is good yet; 0 when it is not. */
  readonly freshFor: (list: ListKey) => Effect.Effect<number, SqlError.SqlError>
  /** It cannot be read; not before so long is it tried again. */
  readonly putOff: (list: ListKey, millis: number) => Effect.Effect<void, SqlError.SqlError>
}>()("killmaild/store/KillmailLists") {
  static readonly layer = Layer.effect(
    KillmailLists,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const millisFrom = (millis: number) => sql`${millis}::float8 * interval '1 ms'`
      const isOf = ({ id, kind }: ListKey) => sql`kind = ${kind} and id = ${BigInt(id)}`

      const open: KillmailLists["Service"]["open"] = (
        { id, kind },
        { isAsked, leaseMillis, readerId, readsAll, wholeMillis }
      ) =>
        Effect.map(
          sql<Reading>`
            insert into killmail_lists as list (kind, id, reader_id, reading_until)
            values (${kind}, ${BigInt(id)}, ${BigInt(readerId)}, now() + ${millisFrom(leaseMillis)})
            on conflict (kind, id) do update
            set reader_id = excluded.reader_id, reading_until = excluded.reading_until,
              reads_all = list.reads_all or ${readsAll} or list.all_read_at <= now() - ${millisFrom(wholeMillis)}
            where (list.reader_id = excluded.reader_id or coalesce(list.reading_until <= now(), true))
              and (list.next_page is not null
                or list.fresh_until <= now() and (${isAsked} or list.next_at <= now()))
            returning coalesce(next_page, 1) as page, etag, reads_all`,
          ([row]) => Option.fromNullishOr(row)
        )

      const name = (list: ListKey, refs: ReadonlyArray<KillmailRef>) =>
        sql<{ id: number; was_known: boolean }>`
          insert into own_killmails as own (kind, id, killmail_id, hash, was_known)
          select ${list.kind}, ${BigInt(list.id)}, ref.killmail_id, decode(ref.hash, 'hex'),
            exists (select from killmail_ledger ledger where ledger.killmail_id = ref.killmail_id)
          from unnest(
            ${pgColumn(refs, (ref) => ref.killmail_id)}::bigint[],
            ${pgColumn(refs, (ref) => ref.hash)}::text[]
          ) as ref(killmail_id, hash)
          on conflict (kind, id, killmail_id) do nothing
          returning own.killmail_id::float8 as id, was_known`

      const note: KillmailLists["Service"]["note"] = Effect.fnUntraced(
        function*(list, { reads_all }, { etag, freshMillis, isLast, page, refs = [] }, { hear, paceOf }) {
          // Whoever stores one of these at this moment is to see that it was named, or be seen here.
          yield* sql`select lock_hearings()`
          const named = refs.length === 0 ? [] : yield* name(list, refs)
          const ids = new Set(named.map(({ id }) => id))
          const fresh = refs.filter(({ killmail_id }) => ids.has(killmail_id))
          if (fresh.length > 0) {
            yield* hear(fresh)
            // A list whose owner says nothing changes nothing of what others hold back.
            yield* sql`
              select reconsider_withheld(${pgColumn(fresh, ({ killmail_id }) => killmail_id)}::bigint[])
              from killmail_lists
              where ${isOf(list)} and held_back is not null`
          }
          const isOver = isLast || (fresh.length === 0 && !reads_all)
          yield* sql`
            update killmail_lists
            set next_page = ${isOver ? null : page + 1}::integer,
              fresh_until = greatest(fresh_until, now() + ${millisFrom(freshMillis)}),
              etag = case when ${page === 1} then ${etag ?? null} else etag end
            where ${isOf(list)}`
          if (isOver) yield* close(list, paceOf)
          return { fresh, known: named.filter(({ was_known }) => was_known).length, isOver }
        },
        (transaction) => sql.withTransaction(transaction)
      )

      const close = Effect.fnUntraced(function*(list: ListKey, paceOf: (quietMillis: number) => number) {
        // Ids rise with time, nearly. Of a list whose killmails are all still to come, nothing is known yet.
        const [newest] = yield* sql<{ quietMillis: number | null }>`
          select extract(epoch from now() - max(killmail_time))::float8 * 1000 as "quietMillis"
          from (
            select killmail_id from own_killmails where ${isOf(list)} order by killmail_id desc limit 50
          ) named
          join killmail_ledger using (killmail_id)`
        yield* sql`
          update killmail_lists
          set reading_until = null, read_at = now(), reads_all = false,
            all_read_at = case when reads_all then now() else all_read_at end,
            next_at = greatest(fresh_until, now() + ${millisFrom(paceOf(newest?.quietMillis ?? 0))})
          where ${isOf(list)}`
      })

      const putOff: KillmailLists["Service"]["putOff"] = (list, millis) =>
        Effect.asVoid(sql`
          update killmail_lists set reading_until = null, next_at = now() + ${millisFrom(millis)}
          where ${isOf(list)}`)

      const named = sql.literal(`
        own_killmails own
        left join dead_letters letters on task = 'ingest_killmail'
          and key = 'killmail:' || own.killmail_id || ':' || encode(own.hash, 'hex')`)

      const statuses: KillmailLists["Service"]["statuses"] = (of) =>
        sql<ListStatus>`
          select pilot.character_id::float8, pilot.name, list.kind, list.id::float8, read_at, next_at,
            case when isfinite(held_back) then to_json(extract(epoch from held_back)::integer / 3600)
              when held_back is not null then '"always"' end as held_back,
            counted.*
          from user_characters pilot
          join killmail_lists list on list.kind = 'character' and list.id = pilot.character_id
            or list.kind = 'corporation' and list.reader_id = pilot.character_id
          cross join lateral (
            select count(*)::int as found, count(*) filter (where not was_known)::int as new,
              count(*) filter (where was_known)::int as known, count(letters.id)::int as failed
            from ${named}
            where own.kind = list.kind and own.id = list.id
          ) counted
          where ${
          "userId" in of
            ? sql`pilot.user_id = ${of.userId}::uuid`
            : sql`pilot.character_id = any(${pgArray(of.characterIds)}::bigint[])`
        }
          order by pilot.name, list.kind, list.id`

      const coming: KillmailLists["Service"]["coming"] = (characterIds) =>
        Effect.map(
          sql<{ coming: number }>`
            select count(distinct own.killmail_id)::int as coming
            from ${named}
            join killmail_lists list on list.kind = own.kind and list.id = own.id
            where list.reader_id = any(${pgArray(characterIds)}::bigint[]) and letters.id is null
              and not exists (select from killmail_ledger ledger where ledger.killmail_id = own.killmail_id)`,
          ([row]) => row!.coming
        )

      const freshFor: KillmailLists["Service"]["freshFor"] = (list) =>
        Effect.map(
          sql<{ millis: number }>`
            select extract(epoch from fresh_until - now())::float8 * 1000 as millis
            from killmail_lists
            where ${isOf(list)}`,
          ([row]) => Math.max(0, row?.millis ?? 0)
        )

      return KillmailLists.of({
        open,
        note,
        statuses,
        coming,
        freshFor,
        putOff
      })
    })
  )
}
