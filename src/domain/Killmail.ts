/**
 * A killmail as ESI gives it (`GET /killmails/{id}/{hash}`, compatibility date 2026-08-18), and the rules that hold for
 * it whatever its source. Pure.
 */
import { Schema } from "effect"
import { createHash } from "node:crypto"

/** An id of anything in EVE: killmails, characters, types, systems. ESI declares all of them int64. */
export const Id = Schema.Int.check(Schema.isGreaterThan(0))

/** A whole number without bounds: damage, quantities, flags. Old damage may be negative. */
const Count = Schema.Int

/** 40 lower-case hex digits: what proves a killmail to ESI. */
export const KillmailHash = Schema.String.check(Schema.isPattern(/^[0-9a-f]{40}$/))

/** JavaScript reads the 30th of February as a day in March. */
const isTime = (text: string): boolean =>
  !Number.isNaN(Date.parse(text)) && new Date(text).toISOString().slice(0, 19) === text.slice(0, 19)

/** UTC, to the second. EVE-KILL writes milliseconds; `normaliseTime` drops them. */
const KillmailTime = Schema.String.check(
  Schema.isPattern(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/),
  Schema.makeFilter((text: string) => isTime(text), { description: "an existing UTC date and time" })
)

const itemFields = {
  flag: Count,
  item_type_id: Id,
  singleton: Count,
  quantity_dropped: Schema.optionalKey(Count),
  quantity_destroyed: Schema.optionalKey(Count)
}

/** What was fitted, carried or contained. A container holds `items` of its own: one level in every mail seen, any here. */
export interface Item extends Schema.Struct.Type<typeof itemFields> {
  readonly items?: ReadonlyArray<Item>
}
export const Item: Schema.Codec<Item> = Schema.Struct({
  ...itemFields,
  items: Schema.optionalKey(Schema.Array(Schema.suspend((): Schema.Codec<Item> => Item)))
}).annotate({ identifier: "Item" })

/** Metres from the system's sun. Absent before November 2015. */
export const Position = Schema.Struct({ x: Schema.Finite, y: Schema.Finite, z: Schema.Finite })
  .annotate({ identifier: "Position" })

export const Attacker = Schema.Struct({
  character_id: Schema.optionalKey(Id),
  corporation_id: Schema.optionalKey(Id),
  alliance_id: Schema.optionalKey(Id),
  faction_id: Schema.optionalKey(Id),
  ship_type_id: Schema.optionalKey(Id),
  weapon_type_id: Schema.optionalKey(Id),
  damage_done: Count,
  final_blow: Schema.Boolean,
  security_status: Schema.Finite
}).annotate({ identifier: "Attacker" })
export type Attacker = typeof Attacker.Type

const Victim = Schema.Struct({
  character_id: Schema.optionalKey(Id),
  corporation_id: Schema.optionalKey(Id),
  alliance_id: Schema.optionalKey(Id),
  faction_id: Schema.optionalKey(Id),
  ship_type_id: Id,
  damage_taken: Count,
  position: Schema.optionalKey(Position),
  items: Schema.optionalKey(Schema.Array(Item))
}).annotate({ identifier: "Victim" })

/** ESI's body, field for field. Fields that ESI may add later are ignored. */
export const Killmail = Schema.Struct({
  killmail_id: Id,
  killmail_time: KillmailTime,
  solar_system_id: Id,
  moon_id: Schema.optionalKey(Id),
  war_id: Schema.optionalKey(Id),
  victim: Victim,
  attackers: Schema.Array(Attacker)
})
export type Killmail = typeof Killmail.Type

/** `2026-04-15T14:56:23Z`: UTC without fraction, as ESI writes it. */
export const normaliseTime = (time: string): string => time.slice(0, 19) + "Z"

/** EVE opened on 2003-05-06; two months ahead is no clock that is a little off. `now` is milliseconds since 1970. */
export const isPlausibleTime = (time: string, now: number): boolean => {
  const millis = Date.parse(time)
  return millis >= Date.UTC(2003, 4, 6) && millis <= now + 62 * 86_400_000
}

/** Windows file time counts 100 ns from 1601; this many before 1970. */
const fileTimeOfUnixEpoch = 116_444_736_000_000_000n

/**
 * The hash that CCP computed for this mail: SHA-1 over victim, final blow, ship and time, as decimal numbers with nothing
 * between, a missing id written `None`. It covers these four facts only, and two mails that CCP rebuilt by hand fit none.
 */
export const hashOf = (killmail: Killmail): string => {
  const finalBlow = killmail.attackers.find((attacker) => attacker.final_blow)
  const fileTime = BigInt(Math.floor(Date.parse(killmail.killmail_time) / 1000)) * 10_000_000n + fileTimeOfUnixEpoch
  return createHash("sha1").update(
    `${killmail.victim.character_id ?? "None"}${
      finalBlow?.character_id ?? "None"
    }${killmail.victim.ship_type_id}${fileTime}`
  ).digest("hex")
}

/** What names a killmail to ESI. */
export interface KillmailRef {
  readonly killmail_id: number
  readonly hash: string
}

/** Reads `https://esi.evetech.net/killmails/{id}/{hash}/`, with or without a version, query or trailing slash. */
export const refFromUrl = (url: string): KillmailRef | undefined => {
  const match = /\/killmails\/(\d{1,15})\/([0-9a-fA-F]{40})(?:[/?#]|$)/.exec(url)
  return match === null ? undefined : { killmail_id: Number(match[1]), hash: match[2]!.toLowerCase() }
}
