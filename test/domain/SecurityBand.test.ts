import { assert, describe, it } from "@effect/vitest"
import { securityBandOf } from "../../src/domain/SecurityBand.ts"

describe("a system's band", () => {
  for (
    const [band, regionId, security] of [
      ["highsec", 10_000_002, 0.945913],
      ["highsec", 10_000_002, 0.45],
      ["lowsec", 10_000_002, 0.449],
      ["lowsec", 10_000_002, 0.001],
      ["nullsec", 10_000_002, 0],
      ["nullsec", 10_000_060, -0.3],
      ["nullsec", 10_001_000, -1],
      ["pochven", 10_000_070, -1],
      ["wspace", 11_000_001, -0.99],
      ["wspace", 11_000_033, -0.99],
      ["abyssal", 12_000_005, -1]
    ] as const
  ) {
    it(`is ${band} at ${security} in region ${regionId}`, () => {
      assert.strictEqual(securityBandOf({ regionId, security }), band)
    })
  }
})
