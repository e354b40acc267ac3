/** What things cost in the sandbox: fixed by the type id, and of a true size for its kind. */
import { capsule, type Hull, hullOf } from "./Gazetteer.ts"
import { hangar } from "./Hangar.ts"
import { drawOf } from "./Random.ts"

/** One of this type, in ISK. */
export const worthOf = (typeId: number): number => {
  if (typeId === capsule.id) return 10_000
  const hull = hullOf(typeId)
  const [low, high] = hull === undefined ? (isCheap.has(typeId) ? supplies : modules) : hulls[hull]
  return cents(low * (high / low) ** drawOf("price", typeId))
}

export const cents = (isk: number): number => Math.round(isk * 100) / 100

/** Cheapest and dearest, in ISK. */
type Range = readonly [number, number]

const supplies: Range = [40, 2_000]
const modules: Range = [5_000, 6_000_000]

const isCheap = new Set([...hangar.charge, ...hangar.fuel, ...hangar.ore].map(({ id }) => id))

const hulls: Readonly<Record<Hull, Range>> = {
  small: [400_000, 60_000_000],
  medium: [9_000_000, 300_000_000],
  large: [200_000_000, 1_500_000_000],
  capital: [2_000_000_000, 90_000_000_000],
  industrial: [800_000, 8_000_000_000],
  tiny: [10_000, 60_000],
  deployable: [500_000, 20_000_000],
  structure: [300_000_000, 150_000_000_000],
  starbase: [30_000_000, 400_000_000]
}
