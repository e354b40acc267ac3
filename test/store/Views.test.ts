import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { changed, mailOf, newKillmail, withVictim } from "../support/Mails.ts"
import { withStores } from "../support/Stores.ts"

const victim = 2_112_000_001
const alt = 2_112_000_002
const main = 2_112_000_003

/** A ship that carries a container that carries a container, shot at by its own pilot, an alt and an NPC. */
const mail = changed(
  withVictim(mailOf("views", 1), {
    character_id: victim,
    corporation_id: 98_000_001,
    position: { x: 1.5, y: -2, z: 3e12 },
    items: [
      { item_type_id: 2205, flag: 19, singleton: 0, quantity_destroyed: 1 },
      {
        item_type_id: 3465,
        flag: 5,
        singleton: 0,
        quantity_dropped: 1,
        items: [
          {
            item_type_id: 3467,
            flag: 0,
            singleton: 0,
            quantity_dropped: 1,
            items: [{ item_type_id: 34, flag: 0, singleton: 0, quantity_dropped: 5_000_000_000 }]
          },
          { item_type_id: 940, flag: 0, singleton: 2, quantity_dropped: 2 }
        ]
      }
    ]
  }),
  {
    attackers: [
      { character_id: victim, ship_type_id: 587, damage_done: 1, final_blow: false, security_status: -9.9 },
      { character_id: alt, weapon_type_id: 2881, damage_done: 20, final_blow: true, security_status: 0.3 },
      { corporation_id: 1_000_125, ship_type_id: 3298, damage_done: 0, final_blow: false, security_status: 0 }
    ]
  }
)
const killTime = new Date(mail.killmail_time)

const store = (...mails: ReadonlyArray<Killmail>) =>
  Effect.flatMap(KillmailStore, (killmails) => killmails.append(mails.map((each) => newKillmail(each))))

describe.concurrent("the views", () => {
  it.live("show a killmail as the users of other databases knew it", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* store(mail)
        yield* sql`update killmails set total_value = 12345.67, points = 7`
        yield* sql`insert into character_groups (character_id, main_character_id) values (${alt}, ${main})`
        const id = BigInt(mail.killmail_id)
        assert.deepStrictEqual(yield* sql`select * from kill_facts`, [{
          killmail_id: id,
          kill_time: killTime,
          system_id: mail.solar_system_id,
          total_value: "12345.67",
          points: 7,
          position: mail.victim.position,
          items: mail.victim.items
        }])
        assert.deepStrictEqual(yield* sql`select * from kill_victims`, [{
          killmail_id: id,
          character_id: BigInt(victim),
          corporation_id: 98_000_001n,
          alliance_id: mail.victim.alliance_id === undefined ? null : BigInt(mail.victim.alliance_id),
          ship_type_id: mail.victim.ship_type_id,
          damage_taken: BigInt(mail.victim.damage_taken),
          kill_time: killTime,
          main_character_id: BigInt(victim)
        }])
        const attackers = yield* sql`select * from kill_attackers order by damage_done desc`
        assert.deepStrictEqual(attackers[0], {
          killmail_id: id,
          character_id: BigInt(alt),
          corporation_id: null,
          alliance_id: null,
          damage_done: 20n,
          final_blow: true,
          security_status: 0.3,
          ship_type_id: null,
          weapon_type_id: 2881,
          kill_time: killTime,
          main_character_id: BigInt(main)
        })
        assert.deepStrictEqual(attackers.map((row) => row["character_id"]), [BigInt(alt), BigInt(victim), null])
        assert.deepStrictEqual(yield* sql`select killmail_id, character_id, role from kill_characters order by 2`, [
          { killmail_id: id, character_id: BigInt(victim), role: "victim" },
          { killmail_id: id, character_id: BigInt(alt), role: "attacker" }
        ])
        assert.deepStrictEqual(yield* sql`select * from losses_fact`, [{
          killmail_id: id,
          character_id: BigInt(victim),
          kill_time: killTime,
          ship_type_id: mail.victim.ship_type_id,
          system_id: mail.solar_system_id,
          total_value: "12345.67",
          attacker_count: 3,
          attackers: mail.attackers,
          main_character_id: BigInt(victim)
        }])
        const together = yield* sql`
          select role from kill_characters where character_id = any(characters_of(${main})) and main_character_id = ${main}`
        assert.deepStrictEqual(together, [{ role: "attacker" }])
      })
    ))

  it.live("show nothing that is private or not public yet", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* store(mail)
        const views = ["kill_facts", "kill_victims", "kill_attackers", "kill_characters", "losses_fact"]
        const counts = Effect.forEach(views, (view) => Effect.map(sql`select from ${sql(view)}`, (rows) => rows.length))
        yield* sql`update killmail_ledger set sequence = null, visible_from = 'infinity'`
        assert.deepStrictEqual(yield* counts, [0, 0, 0, 0, 0])
        yield* sql`update killmail_ledger set visible_from = now() - interval '1 second'`
        assert.deepStrictEqual(yield* counts, [1, 1, 3, 2, 1])
      })
    ))

  it.live("show losses of structures, but not as anybody's", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const { character_id: _, position: __, items: ___, ...structure } = mail.victim
        yield* store({ ...mail, victim: structure })
        assert.deepStrictEqual(yield* sql`select position, items from kill_facts`, [{ position: null, items: [] }])
        assert.deepStrictEqual(yield* sql`select character_id from kill_victims`, [{ character_id: null }])
        assert.deepStrictEqual(yield* sql`select role from kill_characters order by character_id`, [
          { role: "attacker" },
          { role: "attacker" }
        ])
        assert.deepStrictEqual(yield* sql`select from losses_fact`, [])
      })
    ))
})

/**
 * Half a year of 3,000 killmails a month with four attackers and items each, by 5,000 pilots in 500 systems; and a ledger
 * as of many years, which nobody is to read whole.
 */
const fill = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`select ensure_killmail_partitions('2026-01-01', '2026-06-01')`
  yield* sql`
    insert into killmails (killmail_time, killmail_id, solar_system_id, victim_character_id, victim_ship_type_id,
      victim_damage_taken, attacker_count)
    select timestamptz '2026-01-01 00:00Z' + n * interval '14 minutes', n, 30000000 + n * 17 % 500,
      90000000 + n * 7919 % 5000, 587, 100, 4
    from generate_series(1, 18000) n`
  yield* sql`
    insert into killmail_ledger (killmail_id, killmail_time, hash, sequence, source, heard_at)
    select killmail_id, killmail_time, ''::bytea, killmail_id, 'test', now() from killmails
    union all
    select n, timestamptz '2020-01-01 00:00Z', '', n, 'test', now() from generate_series(1000000, 1200000) n`
  yield* sql`
    insert into attackers (killmail_time, killmail_id, ordinal, character_id, damage_done, final_blow, security_status)
    select killmail_time, killmail_id, k, 90000000 + (killmail_id * 31 + k * 1009) % 5000, 25, k = 0, 0
    from killmails, generate_series(0, 3) k`
  yield* sql`
    insert into items (killmail_time, killmail_id, ordinal, item_type_id, flag, singleton, quantity_dropped)
    select killmail_time, killmail_id, k, 34 + k, 5, 0, 1 from killmails, generate_series(0, 3) k`
  for (const table of ["killmails", "attackers", "items", "killmail_ledger"]) yield* sql`analyze ${sql(table)}`
})

interface Node {
  readonly "Node Type": string
  readonly "Relation Name"?: string
  readonly "Actual Loops": number
  readonly Plans?: ReadonlyArray<Node>
}

const nodesOf = (node: Node): ReadonlyArray<Node> => [node, ...(node.Plans ?? []).flatMap(nodesOf)]

/** Which tables the query reads, and how. */
const reads = Effect.fnUntraced(function*(query: string) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql.unsafe<{ "QUERY PLAN": ReadonlyArray<{ readonly Plan: Node }> }>(
    `explain (analyze, costs off, timing off, buffers off, format json) ${query}`
  )
  return nodesOf(row!["QUERY PLAN"][0]!.Plan)
    .filter((node) => node["Relation Name"] !== undefined && node["Actual Loops"] > 0)
    .map((node) => ({ table: node["Relation Name"]!, how: node["Node Type"] }))
})

/** Months ahead, which cost nothing to read. */
const isEmpty = (table: string): boolean => /_\d{4}_\d\d$/.test(table) && !/_2026_0[1-6]$/.test(table)

const id = 12_345
const someone = 90_001_234
const inMay = "kill_time >= '2026-05-10' and kill_time < '2026-05-20'"

const byId = ["kill_facts", "kill_victims", "kill_attackers", "kill_characters", "losses_fact"]
  .map((view) => `select * from ${view} where killmail_id = ${id}`)

const bounded = [
  `select * from kill_facts where ${inMay} order by kill_time desc limit 50`,
  `select * from kill_facts where system_id = 30000123 and ${inMay}`,
  `select * from losses_fact where character_id = ${someone} and ${inMay} order by kill_time desc`,
  `select * from kill_victims where character_id = ${someone} and ${inMay}`,
  `select * from kill_attackers where character_id = ${someone} and ${inMay} order by kill_time desc`,
  `select * from kill_characters where character_id = ${someone} and ${inMay} order by kill_time desc limit 20`,
  `select * from kill_characters where character_id = any(characters_of(${someone})) and ${inMay}`
]

const unbounded = [
  `select * from kill_facts where system_id = 30000123 order by kill_time desc limit 20`,
  `select * from losses_fact where character_id = ${someone} order by kill_time desc limit 20`,
  `select * from kill_characters join kill_facts using (killmail_id) where character_id = ${someone}
    order by kill_facts.kill_time desc limit 20`
]

describe("usual queries of the views", () => {
  it.live(
    "go by the tables' indexes, and read the months alone that they ask for",
    () =>
      withStores(() =>
        Effect.gen(function*() {
          yield* fill
          for (const query of [...byId, ...bounded, ...unbounded]) {
            const scans = (yield* reads(query)).filter(({ how, table }) => how === "Seq Scan" && !isEmpty(table))
            assert.deepStrictEqual(scans, [], query)
          }
          for (const query of [...byId, ...bounded]) {
            const months = new Set((yield* reads(query)).flatMap(({ table }) => /\d{4}_\d\d$/.exec(table)?.[0] ?? []))
            assert.deepStrictEqual([...months], ["2026_05"], query)
          }
        })
      ),
    60_000
  )
})
