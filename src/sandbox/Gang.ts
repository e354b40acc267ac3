/**
 * Who was on the mail as an attacker. Proportions are those of 14,989 real mails of 2021: median 2 attackers, mean 4.6,
 * 90 % at most 8, 99 % at most 61, and now and then a battle of thousands.
 */
import type { Attacker } from "../domain/Killmail.ts"
import { militias, pirates, ships } from "./Gazetteer.ts"
import { hangar } from "./Hangar.ts"
import { numberOf, type Pilot, pilotOf, wrap } from "./People.ts"
import type { Random } from "./Random.ts"

/** Never empty; exactly one final blow; sorted by damage, which adds up to `damageTaken` on all but a few mails. */
export const gangOf = (
  random: Random,
  seed: string,
  damageTaken: number,
  npcOnly: boolean
): ReadonlyArray<Attacker> => {
  const size = npcOnly ? random.whole(1, 4) : headcount(random.next())
  const center = numberOf(random.next())
  const seen = new Set<number>()
  const kinds = Array.from({ length: size }, () => {
    if (npcOnly || (size > 1 && random.chance(0.02))) return pirate(random)
    let number = random.chance(0.8) ? center + random.whole(-20 - size, 20 + size) : numberOf(random.next())
    while (seen.has(wrap(number))) number++
    seen.add(wrap(number))
    return capsuleer(random, pilotOf(seed, wrap(number)))
  })
  const damages = damageShares(random, size, damageTaken)
  const finalBlow = random.chance(0.55) ? 0 : random.whole(0, size - 1)
  return kinds.map((kind, index) => ({ ...kind, damage_done: damages[index]!, final_blow: index === finalBlow }))
}

type Sighting = Omit<Attacker, "damage_done" | "final_blow">

const capsuleer = (random: Random, pilot: Pilot): Sighting => {
  const ship = random.favour(ships[random.pick(["small", "small", "medium", "medium", "large"] as const)]).id
  // Damage by the ship itself, by drones or by something unknown is booked on the ship.
  const weapon = random.chance(0.3) ? ship : random.favour(random.pick([hangar.high, hangar.charge, hangar.drone])).id
  return {
    character_id: pilot.character,
    corporation_id: pilot.corporation,
    ...(pilot.alliance === undefined ? {} : { alliance_id: pilot.alliance }),
    ...(random.chance(0.04) ? { faction_id: random.pick(militias).id } : {}),
    ...(random.chance(0.01) ? {} : { ship_type_id: ship }),
    ...(random.chance(0.02) ? {} : { weapon_type_id: weapon }),
    security_status: pilot.securityStatus
  }
}

/** NPCs have no character and seldom a weapon; they name a faction or a corporation. */
const pirate = (random: Random): Sighting => {
  const { id, faction, corporation } = random.favour(pirates)
  return {
    ...(corporation === undefined ? {} : { corporation_id: corporation }),
    ...(faction === undefined ? {} : { faction_id: faction }),
    ship_type_id: id,
    ...(random.chance(0.2) ? { weapon_type_id: id } : {}),
    security_status: 0
  }
}

const headcount = (draw: number): number => {
  if (draw < 0.46) return 1
  if (draw < 0.63) return 2
  if (draw < 0.75) return 3
  if (draw < 0.9) return between(3, 8, (draw - 0.75) / 0.15)
  if (draw < 0.99) return between(8, 61, ((draw - 0.9) / 0.09) ** 2)
  if (draw < 0.9998) return between(61, 250, ((draw - 0.99) / 0.0098) ** 2)
  return between(250, 4_000, (draw - 0.9998) / 0.0002)
}

/** Evenly by magnitude. */
const between = (low: number, high: number, share: number): number => Math.round(low * (high / low) ** share)

const damageShares = (random: Random, size: number, damageTaken: number): ReadonlyArray<number> => {
  // Tackle and electronic warfare is on the mail with no damage; whoever is first did some.
  const weights = Array.from(
    { length: size },
    (_, index) => index > 0 && random.chance(0.2) ? 0 : random.next() ** 2 + 0.001
  )
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const shares = weights.map((weight) => Math.floor(damageTaken * weight / total)).toSorted((a, b) => b - a)
  const rest = damageTaken - shares.reduce((sum, share) => sum + share, 0)
  // On a few mails damage done is less than damage taken.
  return random.chance(0.03) ? shares : [shares[0]! + rest, ...shares.slice(1)]
}
