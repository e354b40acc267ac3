/**
 * What a lost ship held: fitted, carried and contained. Slot flags are the game's own (11-18 low, 19-26 mid, 27-34 high,
 * 92-94 rigs, 125-128 subsystems, 87 drone bay, 5 cargo, 89 implants, 133 fuel, 134 ore, 158 fighters, 164 services).
 */
import type { Item } from "../domain/Killmail.ts"
import { type Hull, ships } from "./Gazetteer.ts"
import { hangar, type Named } from "./Hangar.ts"
import type { Random } from "./Random.ts"

/** How many of each a hull takes: smallest and largest number. */
interface Slots {
  readonly low: readonly [number, number]
  readonly mid: readonly [number, number]
  readonly high: readonly [number, number]
  readonly rigs: ReadonlyArray<Named>
  readonly cargo: number
}

const slots: Partial<Record<Hull, Slots>> = {
  tiny: { low: [0, 1], mid: [0, 1], high: [1, 2], rigs: [], cargo: 1 },
  small: { low: [2, 4], mid: [2, 4], high: [2, 5], rigs: hangar.rigSmall, cargo: 8 },
  medium: { low: [3, 6], mid: [3, 5], high: [3, 6], rigs: hangar.rigMedium, cargo: 12 },
  large: { low: [5, 8], mid: [4, 7], high: [6, 8], rigs: hangar.rigLarge, cargo: 18 },
  capital: { low: [5, 8], mid: [4, 7], high: [3, 6], rigs: hangar.rigLarge, cargo: 30 },
  industrial: { low: [1, 4], mid: [1, 4], high: [0, 3], rigs: hangar.rigSmall, cargo: 24 }
}

export const itemsOf = (random: Random, hull: Hull | "capsule", shipTypeId: number): ReadonlyArray<Item> => {
  const items: Array<Item> = []
  const add = (flag: number, { id }: Named, quantity = 1, singleton = 0) => {
    // A stack that was partly saved shows as two rows with the same type and flag.
    const dropped = quantity > 1 && random.chance(0.3)
      ? random.whole(1, quantity - 1)
      : random.chance(0.45)
      ? quantity
      : 0
    if (dropped > 0) items.push({ flag, item_type_id: id, quantity_dropped: dropped, singleton })
    if (dropped < quantity) items.push({ flag, item_type_id: id, quantity_destroyed: quantity - dropped, singleton })
  }
  if (hull === "capsule") {
    const implants = random.chance(0.3) ? random.whole(1, 10) : 0
    for (let each = 0; each < implants; each++) {
      items.push({ flag: 89, item_type_id: hangar.implant[each]!.id, quantity_destroyed: 1, singleton: 0 })
    }
    return items
  }
  if (hull === "structure" || hull === "starbase") {
    if (hull === "structure" && random.chance(0.6)) add(164, random.pick(hangar.service))
    if (random.chance(0.6)) add(hull === "structure" ? 172 : 133, random.pick(hangar.fuel), random.whole(100, 20_000))
    return items
  }
  const fit = slots[hull]
  if (fit === undefined) return random.chance(0.1) ? [container(random)] : items
  fillSlots(random, fit, add)
  if (isTechThree(shipTypeId)) { for (let each = 0; each < 4; each++) add(125 + each, random.pick(hangar.subsystem)) }
  if (hull === "capital") add(158, random.pick(hangar.fighter), random.whole(5, 60))
  else if (hull !== "tiny" && random.chance(0.45)) add(87, random.favour(hangar.drone), random.whole(1, 5))
  if (hull === "industrial" && random.chance(0.3)) add(134, random.favour(hangar.ore), random.whole(500, 40_000))
  const carried = random.whole(0, fit.cargo)
  for (let each = 0; each < carried; each++) {
    const isCharge = random.chance(0.6)
    add(5, random.favour(isCharge ? hangar.charge : hangar.cargo), random.whole(1, isCharge ? 2_000 : 20))
  }
  if (random.chance(0.03)) add(5, random.pick(hangar.blueprint), 1, 2)
  if (random.chance(0.008)) items.push(container(random))
  return items
}

const fillSlots = (random: Random, fit: Slots, add: (flag: number, type: Named, quantity?: number) => void): void => {
  const fill = (first: number, count: readonly [number, number], from: ReadonlyArray<Named>) => {
    // One ship in eight is lost half-fitted.
    const filled = random.chance(0.125) ? Math.floor(count[0] / 2) : random.whole(...count)
    for (let slot = 0; slot < filled; slot++) add(first + slot, random.favour(from))
    return filled
  }
  fill(11, fit.low, hangar.low)
  fill(19, fit.mid, hangar.mid)
  const guns = fill(27, fit.high, hangar.high)
  // Guns come in sets with the same charge loaded, under the gun's own flag.
  const charge = random.favour(hangar.charge)
  for (let slot = 0; slot < guns; slot++) if (random.chance(0.5)) add(27 + slot, charge, random.whole(1, 80))
  if (fit.rigs.length > 0) fill(92, [1, 3], fit.rigs)
}

/** A container in the hold and what is in it. A child's flag is 0, or the container's own. */
const container = (random: Random): Item => {
  const destroyed = random.chance(0.5)
  const flag = random.chance(0.5) ? 0 : 5
  return {
    flag: 5,
    item_type_id: random.pick(hangar.container).id,
    ...(destroyed ? { quantity_destroyed: 1 } : { quantity_dropped: 1 }),
    singleton: 0,
    items: Array.from({ length: random.whole(1, 6) }, () => ({
      flag,
      item_type_id: random.favour(hangar.cargo).id,
      ...(destroyed ? { quantity_destroyed: random.whole(1, 50) } : { quantity_dropped: random.whole(1, 50) }),
      singleton: 0
    }))
  }
}

const techThree = new Set(
  ships.medium.filter(({ name }) => /^(Loki|Tengu|Proteus|Legion)$/.test(name)).map(({ id }) => id)
)
const isTechThree = (shipTypeId: number): boolean => techThree.has(shipTypeId)
