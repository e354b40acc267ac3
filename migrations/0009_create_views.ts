/**
 * Killmails under the names and with the columns that users of other killboards' databases know. Public ones only. Each
 * view has `kill_time`: a query that bounds it reads no other months.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  // What has a sequence was told to the world, the rest has its time. The ledger tells the month of an id. Were both
  // columns compared for equality, Postgres would expect one row in a million to be public, and sort all of them for the
  // newest ten.
  const publicOnes = (table: "killmails" | "attackers") =>
    sql.literal(`${table} as public
    join killmail_ledger as ledger on ledger.killmail_id = public.killmail_id
      and public.killmail_time between ledger.killmail_time and ledger.killmail_time
      and (ledger.sequence is not null or ledger.visible_from <= now())`)

  // As ESI nests them. What follows a container is the first thing in it, as ordinals count depth first.
  const itemColumns = sql.literal(`ordinal, parent_ordinal, item_type_id, flag, singleton, quantity_dropped,
          quantity_destroyed, lead(parent_ordinal) over (order by ordinal) as next_parent`)
  const itemJson = (contentsOf: string) =>
    sql.literal(`json_strip_nulls(json_build_object(
          'item_type_id', item_type_id,
          'flag', flag,
          'singleton', singleton,
          'quantity_dropped', quantity_dropped,
          'quantity_destroyed', quantity_destroyed,
          'items', case when next_parent = ordinal then ${contentsOf} end))`)
  yield* sql`
    create function contents_json(mail_time timestamptz, mail_id bigint, container integer) returns json
    language sql stable as $$
      select json_agg(${itemJson("contents_json(mail_time, mail_id, ordinal)")} order by ordinal)
      from (
        select ${itemColumns}
        from items
        where killmail_time = mail_time and killmail_id = mail_id
      ) as item
      where parent_ordinal = container
    $$`

  // A main and all its alts, for `where character_id = any(characters_of(…))`.
  yield* sql`
    create function characters_of(main bigint) returns bigint[]
    language sql stable
    return main || array(select character_id from character_groups where main_character_id = main)`

  yield* sql`
    create view kill_facts as
    select public.killmail_id, public.killmail_time as kill_time, solar_system_id as system_id, total_value, points,
      case when x is not null then json_build_object('x', x, 'y', y, 'z', z) end as position,
      (
        select coalesce(json_agg(${
    itemJson("contents_json(public.killmail_time, public.killmail_id, ordinal)")
  } order by ordinal), '[]')
        from (
          select ${itemColumns}
          from items
          where items.killmail_time = public.killmail_time and items.killmail_id = public.killmail_id
        ) as item
        where parent_ordinal is null
      ) as items
    from ${publicOnes("killmails")}`

  yield* sql`
    create view kill_victims as
    select public.killmail_id, victim_character_id as character_id, victim_corporation_id as corporation_id,
      victim_alliance_id as alliance_id, victim_ship_type_id as ship_type_id, victim_damage_taken as damage_taken,
      public.killmail_time as kill_time, coalesce(main_character_id, victim_character_id) as main_character_id
    from ${publicOnes("killmails")}
    left join character_groups on character_groups.character_id = victim_character_id`

  yield* sql`
    create view kill_attackers as
    select public.killmail_id, public.character_id, corporation_id, alliance_id, damage_done, final_blow,
      security_status, ship_type_id, weapon_type_id,
      public.killmail_time as kill_time, coalesce(main_character_id, public.character_id) as main_character_id
    from ${publicOnes("attackers")}
    left join character_groups on character_groups.character_id = public.character_id`

  // Who shot at their own ship is its victim.
  yield* sql`
    create view kill_characters as
    select killmail_id, character_id, 'victim' as role, kill_time, main_character_id
    from kill_victims
    where character_id is not null
    union all
    select killmail_id, character_id, 'attacker', kill_time, main_character_id
    from kill_attackers
    where character_id is not null
      and character_id is distinct from (
        select victim_character_id from killmails
        where killmail_time = kill_attackers.kill_time and killmails.killmail_id = kill_attackers.killmail_id)`

  yield* sql`
    create view losses_fact as
    select public.killmail_id, victim_character_id as character_id, public.killmail_time as kill_time,
      victim_ship_type_id as ship_type_id, solar_system_id as system_id, total_value, attacker_count,
      (select json_agg(
          json_strip_nulls(json_build_object(
            'character_id', character_id,
            'corporation_id', corporation_id,
            'alliance_id', alliance_id,
            'faction_id', faction_id,
            'ship_type_id', ship_type_id,
            'weapon_type_id', weapon_type_id,
            'damage_done', damage_done,
            'final_blow', final_blow,
            'security_status', security_status))
          order by ordinal)
        from attackers
        where attackers.killmail_time = public.killmail_time and attackers.killmail_id = public.killmail_id
      ) as attackers,
      coalesce(main_character_id, victim_character_id) as main_character_id
    from ${publicOnes("killmails")}
    left join character_groups on character_groups.character_id = victim_character_id
    where victim_character_id is not null`
})
