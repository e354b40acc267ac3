/**
 * The generator of New Eden's losses. Mail `k` is a pure function of the seed, the number and the speed of the clock, so
 * nothing is stored and every restart serves the very same mails. Proportions are those of 14,989 real mails of 2021.
 */
import { hashOf, type Killmail } from "../domain/Killmail.ts"
import { diedAt, killmailIdOf } from "./Calendar.ts"
import { itemsOf } from "./Fitting.ts"
import { gangOf } from "./Gang.ts"
import { capsule, type Hull, militias, ships, type Space, systems } from "./Gazetteer.ts"
import { corporationOf, numberOf, pilotOf } from "./People.ts"
import { type Random, randomOf } from "./Random.ts"
import { type Zkb, zkbOf } from "./Zkb.ts"

/** A mail with what proves it and what zKillboard says about it. */
export interface Mail {
  readonly killmail: Killmail
  readonly hash: string
  readonly zkb: Zkb
}

/** `speed` is the clock's (only the kill's time depends on it): see `Calendar.ts`. */
export const killmailOf = (seed: string, k: number, speed = 1): Mail => {
  const random = randomOf(seed, "mail", k)
  const kind = kindOf(random.next())
  const npcOnly = kind.hull !== "structure" && kind.hull !== "starbase" && random.chance(0.165)
  const damageTaken = Math.round(kind.toughness * (0.3 + 4 * random.next() ** 3))
  const ship = kind.hull === "capsule" ? capsule.id : random.favour(ships[kind.hull]).id
  const killmail: Killmail = {
    killmail_id: killmailIdOf(seed, k),
    killmail_time: new Date(diedAt(seed, k, speed)).toISOString().slice(0, 19) + "Z",
    solar_system_id: random.favour(systems[spaceOf(random.next())]).id,
    ...(kind.hull === "starbase" ? { moon_id: 40_009_077 + random.whole(0, 400_000) } : {}),
    ...(random.chance(0.012) ? { war_id: random.whole(560_000, 780_000) } : {}),
    victim: {
      ...ownerOf(random, seed, kind.hull),
      ship_type_id: ship,
      damage_taken: damageTaken,
      // Nearly every mail since November 2015 has a position, metres from the sun.
      ...(random.chance(0.003) ? {} : { position: { x: place(random), y: place(random) / 8, z: place(random) } }),
      items: itemsOf(random, kind.hull, ship)
    },
    attackers: gangOf(random, seed, damageTaken, npcOnly)
  }
  const hash = hashOf(killmail)
  return { killmail, hash, zkb: zkbOf(killmail, hash) }
}

/** Structures and starbases have no pilot, but a corporation. */
const ownerOf = (random: Random, seed: string, hull: Hull | "capsule") => {
  const pilot = pilotOf(seed, numberOf(random.next()))
  const corporation = pilot.corporation > 1_999_999 ? pilot.corporation : corporationOf(seed, 0)
  return {
    ...(hull === "structure" || hull === "starbase"
      ? { corporation_id: corporation }
      : { character_id: pilot.character, corporation_id: pilot.corporation }),
    ...(pilot.alliance === undefined ? {} : { alliance_id: pilot.alliance }),
    ...(random.chance(0.066) ? { faction_id: random.pick(militias).id } : {})
  }
}

interface Kind {
  readonly hull: Hull | "capsule"
  readonly share: number
  /** Typical damage until it dies. */
  readonly toughness: number
}

const kinds: ReadonlyArray<Kind> = [
  { hull: "small", share: 0.28, toughness: 3_000 },
  { hull: "capsule", share: 0.255, toughness: 400 },
  { hull: "medium", share: 0.215, toughness: 18_000 },
  { hull: "tiny", share: 0.075, toughness: 900 },
  { hull: "industrial", share: 0.07, toughness: 9_000 },
  { hull: "large", share: 0.045, toughness: 70_000 },
  { hull: "deployable", share: 0.033, toughness: 12_000 },
  { hull: "structure", share: 0.012, toughness: 3_000_000 },
  { hull: "capital", share: 0.01, toughness: 1_500_000 },
  { hull: "starbase", share: 0.005, toughness: 6_000_000 }
]

const spaces: ReadonlyArray<{ readonly space: Space; readonly share: number }> = [
  { space: "nullsec", share: 0.43 },
  { space: "lowsec", share: 0.22 },
  { space: "highsec", share: 0.17 },
  { space: "wspace", share: 0.1 },
  { space: "pochven", share: 0.04 },
  { space: "abyssal", share: 0.04 }
]

const kindOf = (draw: number): Kind => byShare(kinds, draw)
const spaceOf = (draw: number): Space => byShare(spaces, draw).space

const byShare = <A extends { readonly share: number }>(from: ReadonlyArray<A>, draw: number): A => {
  let left = draw
  return from.find(({ share }) => (left -= share) < 0) ?? from[0]!
}

const place = (random: Random): number => (random.next() - 0.5) * 2 * 10 ** (9 + 4 * random.next())
