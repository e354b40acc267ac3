import { assert, describe, it } from "@effect/vitest"
import { groupPrices, wellKnownPrices } from "../../src/domain/WellKnownPrices.ts"
import { corpusFacts, hasCorpus } from "../support/Corpus.ts"
import { wellKnown } from "../support/Facts.ts"

describe("well-known prices", () => {
  it("hold on their days only", () => {
    assert.strictEqual(wellKnown(42_241, "2019-07-01")?.price, 350e9)
    assert.strictEqual(wellKnown(42_241, "2019-07-02")?.price, 650e9)
    assert.strictEqual(wellKnown(11_940, "2020-01-26")?.price, 3.4e12)
    assert.strictEqual(wellKnown(587, "2026-01-01"), undefined)
  })

  it("are amounts with a reason, of which one at most holds on a day", () => {
    for (const row of wellKnownPrices) {
      assert.isAbove(row.price, 0)
      assert.isAbove(row.reason.length, 5)
      const others = wellKnownPrices.filter((other) => other !== row && other.type_id === row.type_id)
      for (const other of others) {
        assert.isTrue(
          (row.valid_until ?? "9999") < (other.valid_from ?? "") ||
            (other.valid_until ?? "9999") < (row.valid_from ?? ""),
          `${row.type_id} has two prices at once`
        )
      }
    }
  })

  it.skipIf(!hasCorpus)("name the types by the names that CCP gave them", () => {
    const facts = corpusFacts()
    for (const { reason, type_id } of wellKnownPrices) {
      assert.strictEqual(reason.split(":")[0], facts.type(type_id)?.name)
    }
    for (const [groupId, { reason }] of groupPrices) assert.isAbove(reason.length, 5, `${groupId}`)
  })
})
