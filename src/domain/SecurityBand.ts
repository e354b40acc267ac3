/** Which part of New Eden a system belongs to, as pilots speak of it. Pure. */
import type { SystemFacts } from "./StaticData.ts"

export const securityBands = ["highsec", "lowsec", "nullsec", "wspace", "abyssal", "pochven"] as const
export type SecurityBand = typeof securityBands[number]

const pochven = 10_000_070

/**
 * By true security, as CCP rounds it: 0.45 shows as 0.5, and whatever is above 0 shows as 0.1 at the least. Wormhole space
 * and the Abyss have ranges of region ids of their own.
 */
export const securityBandOf = ({ regionId, security }: Pick<SystemFacts, "regionId" | "security">): SecurityBand => {
  if (regionId === pochven) return "pochven"
  if (regionId >= 11_000_000 && regionId < 12_000_000) return "wspace"
  if (regionId >= 12_000_000 && regionId < 13_000_000) return "abyssal"
  if (security >= 0.45) return "highsec"
  return security > 0 ? "lowsec" : "nullsec"
}
