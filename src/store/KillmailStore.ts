/** Writes killmails: a batch is one transaction, and the ledger decides which of it are new. */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { crashPoint } from "../CrashPoint.ts"
import type { Appraisal } from "../domain/Judgement.ts"
import type { Attacker, Killmail } from "../domain/Killmail.ts"
import { normaliseTime } from "../domain/Killmail.ts"
import { type ItemRow, itemRows } from "../domain/Rows.ts"
import { appraisalArrays, appraisalColumns } from "./AppraisalColumns.ts"
import { isNoPartition } from "./Database.ts"
import { pgColumn, pgNumbers } from "./PgArray.ts"
import { pgJson } from "./PgText.ts"
import { noteDaysOf } from "./StatisticsDue.ts"
import { keepBlocks } from "./ZkbBlocks.ts"

/** A checked killmail on its way into the store. */
export interface NewKillmail {
  readonly killmail: Killmail
  /** What it was worth and meant, as far as is known now; absent, it is worth nothing yet. */
  readonly appraisal?: Appraisal | undefined
  readonly hash: string
  readonly source: string
  /** When a feed first named it. */
  readonly heardAt: Date
  /** What zKillboard said of it, when the source brought that. */
  readonly zkb?: unknown
  readonly traceparent?: string | undefined
  /** Whether it is news, as it is unless this says otherwise; else it is stored like history, without a sequence. */
  readonly isAnnounced?: boolean
}

/** `sequence` numbers the publication, null where it was stored like history; one that was there before has none of its own. */
export type Receipt = { readonly outcome: "stored"; readonly sequence: number | null } | { readonly outcome: "known" }

/** Every listener wakes on this channel and reads on from the sequence it has; the payload says nothing. */
export const publicationsChannel = "killmails"

export class KillmailStore extends Context.Service<KillmailStore, {
  /** The hash of a killmail that the ledger has, public or not. */
  readonly knownHash: (killmailId: number) => Effect.Effect<Option.Option<string>, SqlError.SqlError>
  /**
   * Stores what is new, in one transaction, and publishes it: one receipt each, in order, and one NOTIFY. A known one gets
   * what zKillboard says of it, where it has nothing yet.
   * Fails as a whole, with nothing stored.
   */
  readonly append: (batch: ReadonlyArray<NewKillmail>) => Effect.Effect<ReadonlyArray<Receipt>, SqlError.SqlError>
}>()("killmaild/store/KillmailStore") {
  static readonly layer = Layer.effect(
    KillmailStore,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const months = new Set<string>()

      const knownHash = (killmailId: number) =>
        Effect.map(
          sql<{ hash: string }>`
            select encode(hash, 'hex') as hash from killmail_ledger where killmail_id = ${BigInt(killmailId)}`,
          ([row]) => Option.fromNullishOr(row?.hash)
        )

      /** In a transaction of its own, before the batch: a missing month must never be taken for a bad row. */
      const ensureMonths = Effect.fnUntraced(function*(batch: ReadonlyArray<NewKillmail>) {
        for (const { killmail } of batch) {
          const month = killmail.killmail_time.slice(0, 7)
          if (months.has(month)) continue
          yield* sql`select ensure_killmail_partitions(${`${month}-01`}::date, ${`${month}-01`}::date)`
          months.add(month)
          yield* crashPoint("month made, nothing stored")
        }
      })

      const write = Effect.fnUntraced(function*(batch: ReadonlyArray<NewKillmail>) {
        const known = new Set(
          (yield* sql<{ id: number }>`
            select killmail_id::float8 as id from killmail_ledger
            where killmail_id = any(${pgColumn(batch, (mail) => mail.killmail.killmail_id)}::bigint[])`)
            .map(({ id }) => id)
        )
        const isKnown = ({ killmail }: NewKillmail): boolean => known.has(killmail.killmail_id)
        const again = batch.filter(isKnown)
        yield* keepBlocks(sql, "fill", again.map(({ killmail, zkb }) => ({ killmail_id: killmail.killmail_id, zkb })))
        const fresh = firstOfEach(batch.filter((mail) => !isKnown(mail)))
        if (fresh.length === 0) return new Map<number, number | null>()
        yield* insertBodies(sql, fresh)
        yield* crashPoint("bodies written, no sequence yet")
        yield* sql`select lock_publications()`
        const published = yield* sql<{ id: number; sequence: number | null }>`
          insert into killmail_ledger
            (killmail_id, killmail_time, hash, source, heard_at, traceparent, sequence)
          select id, time, decode(hash, 'hex'), source, heard_at, traceparent,
            case when announced then
              (select coalesce(max(sequence), 0) from killmail_ledger) + row_number() over (partition by announced order by id)
            end
          from unnest(
            ${pgColumn(fresh, (mail) => mail.killmail.killmail_id)}::bigint[],
            ${pgColumn(fresh, (mail) => normaliseTime(mail.killmail.killmail_time))}::timestamptz[],
            ${pgColumn(fresh, (mail) => mail.hash)}::text[],
            ${pgColumn(fresh, (mail) => mail.source)}::text[],
            ${pgColumn(fresh, (mail) => mail.heardAt.toISOString())}::timestamptz[],
            ${pgColumn(fresh, (mail) => mail.traceparent)}::text[],
            ${pgColumn(fresh, (mail) => mail.isAnnounced ?? true)}::boolean[]
          ) as mail(id, time, hash, source, heard_at, traceparent, announced)
          returning killmail_id::float8 as id, sequence::float8 as sequence`
        const unannounced = fresh.filter(({ isAnnounced }) => isAnnounced === false)
        if (unannounced.length > 0) yield* noteDaysOf(sql, unannounced.map(({ killmail }) => killmail.killmail_time))
        yield* sql`select request_entities(), pg_notify(${publicationsChannel}, '')`
        yield* crashPoint("sequence given, not committed")
        return new Map(published.map(({ id, sequence }) => [id, sequence]))
      })

      const append = Effect.fn("KillmailStore.append")(function*(batch: ReadonlyArray<NewKillmail>) {
        yield* Effect.annotateCurrentSpan({ "killmail.count": batch.length })
        const published = yield* ensureMonths(batch).pipe(
          Effect.andThen(sql.withTransaction(write(batch))),
          Effect.tapError((error) => Effect.sync(() => isNoPartition(error) && months.clear())),
          // Another replica stored one of these meanwhile, and what it committed is known now; or somebody detached a month.
          Effect.retry({ while: (error) => error.reason._tag === "UniqueViolation" || isNoPartition(error), times: 3 })
        )
        yield* crashPoint("stored, job not told")
        return batch.map(({ killmail }): Receipt => {
          const sequence = published.get(killmail.killmail_id)
          // Of two requests for the same mail in one batch, the first is answered "stored".
          published.delete(killmail.killmail_id)
          return sequence === undefined ? { outcome: "known" } : { outcome: "stored", sequence }
        })
      })

      return KillmailStore.of({ knownHash, append })
    })
  )
}

/** Sorted by id, so that two replicas with the same mails wait for each other instead of deadlocking. */
const firstOfEach = (batch: ReadonlyArray<NewKillmail>): ReadonlyArray<NewKillmail> => {
  const byId = new Map<number, NewKillmail>()
  for (const mail of batch) if (!byId.has(mail.killmail.killmail_id)) byId.set(mail.killmail.killmail_id, mail)
  return [...byId.values()].toSorted((a, b) => a.killmail.killmail_id - b.killmail.killmail_id)
}

/** killmails, attackers and items in one statement. */
const insertBodies = (sql: SqlClient.SqlClient, mails: ReadonlyArray<NewKillmail>) => {
  const bodies = mails.map(({ killmail }) => ({
    ...killmail,
    time: normaliseTime(killmail.killmail_time),
    id: killmail.killmail_id
  }))
  const attackers = bodies.flatMap(({ attackers, id, time }) => {
    const seconds = Date.parse(time) / 1000
    return attackers.map((attacker, ordinal): Attacker & Place => ({ ...attacker, id, seconds, ordinal }))
  })
  const items = bodies.flatMap(({ id, time, victim }) => {
    const seconds = Date.parse(time) / 1000
    return itemRows(victim.items ?? []).map((item): ItemRow & Place => ({ ...item, id, seconds }))
  })
  const victims = bodies.map(({ victim }) => victim)
  return sql`
    with new_killmails as (
      insert into killmails (killmail_time, killmail_id, solar_system_id, war_id, moon_id, victim_character_id,
        victim_corporation_id, victim_alliance_id, victim_faction_id, victim_ship_type_id, victim_damage_taken,
        x, y, z, attacker_count, zkb, ${sql.literal(appraisalColumns)}, labels)
      select time, id, system, war, moon, character, corporation, alliance, faction, ship, damage, x, y, z, attackers, zkb,
        ${sql.literal(appraisalColumns)}, labels::text[]
      from unnest(
        ${pgColumn(bodies, (body) => body.time)}::timestamptz[],
        ${pgColumn(bodies, (body) => body.id)}::bigint[],
        ${pgColumn(bodies, (body) => body.solar_system_id)}::integer[],
        ${pgColumn(bodies, (body) => body.war_id)}::bigint[],
        ${pgColumn(bodies, (body) => body.moon_id)}::bigint[],
        ${pgColumn(victims, (victim) => victim.character_id)}::bigint[],
        ${pgColumn(victims, (victim) => victim.corporation_id)}::bigint[],
        ${pgColumn(victims, (victim) => victim.alliance_id)}::bigint[],
        ${pgColumn(victims, (victim) => victim.faction_id)}::bigint[],
        ${pgColumn(victims, (victim) => victim.ship_type_id)}::integer[],
        ${pgColumn(victims, (victim) => victim.damage_taken)}::bigint[],
        ${pgColumn(victims, (victim) => victim.position?.x)}::float8[],
        ${pgColumn(victims, (victim) => victim.position?.y)}::float8[],
        ${pgColumn(victims, (victim) => victim.position?.z)}::float8[],
        ${pgColumn(bodies, (body) => body.attackers.length)}::integer[],
        ${pgColumn(mails, (mail) => mail.zkb === undefined ? null : pgJson(mail.zkb))}::jsonb[],
        ${appraisalArrays(sql, mails.map(({ appraisal }) => appraisal))}
      ) as mail(time, id, system, war, moon, character, corporation, alliance, faction, ship, damage, x, y, z, attackers,
        zkb, ${sql.literal(appraisalColumns)}, labels)
    ), new_attackers as (
      insert into attackers (killmail_time, killmail_id, ordinal, character_id, corporation_id, alliance_id, faction_id,
        ship_type_id, weapon_type_id, damage_done, final_blow, security_status)
      select to_timestamp(seconds), id, ordinal, character, corporation, alliance, faction, ship, weapon, damage, final_blow,
        security_status
      from unnest(
        ${pgNumbers(attackers, (attacker) => attacker.seconds)},
        ${pgNumbers(attackers, (attacker) => attacker.id)},
        ${pgNumbers(attackers, (attacker) => attacker.ordinal)},
        ${pgNumbers(attackers, (attacker) => attacker.character_id)},
        ${pgNumbers(attackers, (attacker) => attacker.corporation_id)},
        ${pgNumbers(attackers, (attacker) => attacker.alliance_id)},
        ${pgNumbers(attackers, (attacker) => attacker.faction_id)},
        ${pgNumbers(attackers, (attacker) => attacker.ship_type_id)},
        ${pgNumbers(attackers, (attacker) => attacker.weapon_type_id)},
        ${pgNumbers(attackers, (attacker) => attacker.damage_done)},
        ${attackers.map((attacker) => attacker.final_blow)}::boolean[],
        ${pgNumbers(attackers, (attacker) => attacker.security_status)}
      ) as attacker(seconds, id, ordinal, character, corporation, alliance, faction, ship, weapon, damage, final_blow,
        security_status)
    )
    insert into items (killmail_time, killmail_id, ordinal, parent_ordinal, item_type_id, flag, singleton,
      quantity_dropped, quantity_destroyed)
    select to_timestamp(seconds), id, ordinal, parent, type, flag, singleton, dropped, destroyed
    from unnest(
      ${pgNumbers(items, (item) => item.seconds)},
      ${pgNumbers(items, (item) => item.id)},
      ${pgNumbers(items, (item) => item.ordinal)},
      ${pgNumbers(items, (item) => item.parent_ordinal)},
      ${pgNumbers(items, (item) => item.item_type_id)},
      ${pgNumbers(items, (item) => item.flag)},
      ${pgNumbers(items, (item) => item.singleton)},
      ${pgNumbers(items, (item) => item.quantity_dropped)},
      ${pgNumbers(items, (item) => item.quantity_destroyed)}
    ) as item(seconds, id, ordinal, parent, type, flag, singleton, dropped, destroyed)`
}

interface Place {
  readonly id: number
  /** Of the kill, since 1970. */
  readonly seconds: number
  readonly ordinal: number
}
