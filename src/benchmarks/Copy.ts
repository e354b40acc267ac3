/**
 * What the live path is measured against: the fastest way to put the same rows into the same tables, COPY, without queue,
 * ledger, checks or announcements.
 */
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { once } from "node:events"
import { Client } from "pg"
import { from } from "pg-copy-streams"
import { type Killmail, normaliseTime } from "../domain/Killmail.ts"
import { itemRows } from "../domain/Rows.ts"
import { Ground } from "./Ground.ts"

/** Killmails a transaction, and transactions at a time: what was fastest on two cores. */
const batchSize = 1000
const connections = 2

/** What is written of a killmail; archives do not bring what zKillboard says. */
export interface Copied {
  readonly killmail: Killmail
  readonly zkb?: unknown
}

type Cell = number | string | boolean | null | undefined

/** COPY's text format. */
const line = (cells: ReadonlyArray<Cell>): string => cells.map(cellText).join("\t") + "\n"
const cellText = (cell: Cell): string =>
  cell === null || cell === undefined ? "\\N" : typeof cell === "string" ? escaped(cell) : String(cell)
const escaped = (text: string): string =>
  text.replaceAll("\\", "\\\\").replaceAll("\t", "\\t").replaceAll("\n", "\\n").replaceAll("\r", "\\r")

const killmailLine = ({ killmail, zkb }: Copied): string => {
  const { attackers, killmail_id, killmail_time, moon_id, solar_system_id, victim, war_id } = killmail
  return line([
    normaliseTime(killmail_time),
    killmail_id,
    solar_system_id,
    war_id,
    moon_id,
    victim.character_id,
    victim.corporation_id,
    victim.alliance_id,
    victim.faction_id,
    victim.ship_type_id,
    victim.damage_taken,
    victim.position?.x,
    victim.position?.y,
    victim.position?.z,
    attackers.length,
    JSON.stringify(zkb)
  ])
}

const attackerLines = ({ killmail }: Copied): string =>
  killmail.attackers.map((attacker, ordinal) =>
    line([
      normaliseTime(killmail.killmail_time),
      killmail.killmail_id,
      ordinal,
      attacker.character_id,
      attacker.corporation_id,
      attacker.alliance_id,
      attacker.faction_id,
      attacker.ship_type_id,
      attacker.weapon_type_id,
      attacker.damage_done,
      attacker.final_blow,
      attacker.security_status
    ])
  ).join("")

const itemLines = ({ killmail }: Copied): string =>
  itemRows(killmail.victim.items ?? []).map((item) =>
    line([
      normaliseTime(killmail.killmail_time),
      killmail.killmail_id,
      item.ordinal,
      item.parent_ordinal,
      item.item_type_id,
      item.flag,
      item.singleton,
      item.quantity_dropped,
      item.quantity_destroyed
    ])
  ).join("")

const tables: ReadonlyArray<readonly [columns: string, lines: (mail: Copied) => string]> = [
  [
    `killmails (killmail_time, killmail_id, solar_system_id, war_id, moon_id, victim_character_id, victim_corporation_id,
      victim_alliance_id, victim_faction_id, victim_ship_type_id, victim_damage_taken, x, y, z, attacker_count, zkb)`,
    killmailLine
  ],
  [
    `attackers (killmail_time, killmail_id, ordinal, character_id, corporation_id, alliance_id, faction_id, ship_type_id,
      weapon_type_id, damage_done, final_blow, security_status)`,
    attackerLines
  ],
  [
    `items (killmail_time, killmail_id, ordinal, parent_ordinal, item_type_id, flag, singleton, quantity_dropped,
      quantity_destroyed)`,
    itemLines
  ]
]

const copyBatch = async (client: Client, batch: ReadonlyArray<Copied>): Promise<void> => {
  await client.query("begin")
  for (const [columns, lines] of tables) {
    const stream = client.query(from(`copy ${columns} from stdin`))
    stream.end(batch.map(lines).join(""))
    await once(stream, "finish")
  }
  await client.query("commit")
}

const connect = Effect.gen(function*() {
  const { databaseUrl } = yield* Ground
  return yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ connectionString: Redacted.value(databaseUrl) })
      await client.connect()
      return client
    }),
    (client) => Effect.promise(() => client.end())
  )
})

/** Puts these killmails into their tables. The months must be there (`prepareMonths`). */
export const copy = Effect.fnUntraced(function*(mails: ReadonlyArray<Copied>) {
  const batches = Array.from(
    { length: Math.ceil(mails.length / batchSize) },
    (_, index) => mails.slice(index * batchSize, (index + 1) * batchSize)
  )
  yield* Effect.forEach(Array.from({ length: connections }), () =>
    Effect.gen(function*() {
      const client = yield* connect
      for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
        const taken = batch
        yield* Effect.promise(() => copyBatch(client, taken))
      }
    }), { concurrency: connections, discard: true })
}, Effect.scoped)

/** The store makes its months by itself; COPY wants them there. */
export const prepareMonths = Effect.fnUntraced(function*(mails: ReadonlyArray<Copied>) {
  const sql = yield* SqlClient.SqlClient
  for (const month of new Set(mails.map(({ killmail }) => `${killmail.killmail_time.slice(0, 7)}-01`))) {
    yield* sql`select ensure_killmail_partitions(${month}::date, ${month}::date)`
  }
})
