import { assert, describe, it } from "@effect/vitest"
import { judge, needsOf } from "../../src/domain/Judgement.ts"
import type { MarketFacts } from "../../src/domain/Market.ts"
import { priceList } from "../../src/domain/PriceList.ts"
import type { StaticFacts } from "../../src/domain/StaticData.ts"
import { priceDay } from "../../src/domain/Valuation.ts"
import { averagesUpTo, factsOf, marketOf, typeOf } from "../support/Facts.ts"
import { changed, crowd, mailOf, withVictim } from "../support/Mails.ts"

const titan = 11_567
const everything = factsOf([
  typeOf(587),
  typeOf(titan, {
    groupId: 30,
    manufacturing: { outputQuantity: 1, materials: [{ typeId: 21_009, quantity: 80 }] }
  }),
  typeOf(21_009, { categoryId: 17, manufacturing: { outputQuantity: 1, materials: [{ typeId: 34, quantity: 1000 }] } }),
  typeOf(34, { categoryId: 4 }),
  typeOf(3297, { categoryId: 2 })
])
const market = marketOf({ 34: 5, 587: 400_000, 3297: 7 })

const loss = withVictim(changed(mailOf("judgement", 1), { attackers: crowd(3) }), {
  ship_type_id: titan,
  items: [{ item_type_id: 3297, flag: 5, singleton: 0, quantity_dropped: 1 }]
})

/** What a caller does: loads what is asked for until nothing new is. */
const loadFor = (killmail: typeof loss) => {
  const types = new Set<number>()
  const prices = new Set<number>()
  const loaded: StaticFacts = {
    type: (typeId) => types.has(typeId) ? everything.type(typeId) : undefined,
    system: everything.system
  }
  const loadedMarket: MarketFacts = {
    averages: (typeId, day) => prices.has(typeId) ? market.averages(typeId, day) : [],
    custom: () => undefined
  }
  const needs = () => needsOf(killmail, loaded, loadedMarket)
  let rounds = 0
  while (!needs().types.isSubsetOf(types) || !needs().prices.isSubsetOf(prices)) {
    rounds++
    for (const typeId of needs().types) types.add(typeId)
    for (const typeId of needs().prices) prices.add(typeId)
  }
  return { loaded, loadedMarket, rounds, types, prices, day: needs().day }
}

describe("what the rules need", () => {
  it("is loaded in a few rounds, and then they say what they would with everything at hand", () => {
    const { day, loaded, loadedMarket, prices, rounds, types } = loadFor(loss)
    assert.deepStrictEqual([...prices].toSorted(), [titan, 21_009, 3297, 34].toSorted())
    assert.isTrue(types.has(587), "an attacker's ship")
    assert.strictEqual(rounds, 3)
    const judgement = judge(loss, priceList(day, loaded, loadedMarket), loaded)
    assert.deepStrictEqual(judgement, judge(loss, priceList(day, everything, market), everything))
    assert.strictEqual(judgement.valuation.lines[0]!.rule, "build")
    assert.strictEqual(judgement.valuation.unpriced_items, 0)
  })

  it("is one round for most losses, and for all once the static data are at hand", () => {
    assert.strictEqual(loadFor(withVictim(loss, { ship_type_id: 587, items: [] })).rounds, 1)
    const { prices } = needsOf(loss, everything, { averages: () => [], custom: () => undefined })
    assert.deepStrictEqual([...prices].toSorted(), [titan, 21_009, 3297, 34].toSorted())
  })
})

/** A New Eden in which every id is known, and most things have a price. */
const anything: StaticFacts = {
  type: (typeId) =>
    typeOf(typeId, {
      categoryId: [6, 7, 8, 18, 65][typeId % 5]!,
      dogma: new Map([[633, typeId % 9], [1211, 1], [1547, typeId % 4 + 1]])
    }),
  system: (systemId) => ({
    systemId,
    name: "",
    security: systemId % 20 / 10 - 1,
    constellationId: 20_000_001,
    regionId: 10_000_002
  })
}
const anyMarket: MarketFacts = {
  averages: (typeId, day) => typeId % 7 === 0 ? [] : averagesUpTo(day, [typeId / 100, 1e13, typeId % 1000]),
  custom: () => undefined
}

describe("what the rules say", () => {
  it("does not depend on the order of attackers and items, on thousands of mails", () => {
    for (let k = 1; k <= 3000; k++) {
      const killmail = mailOf("order", k)
      const { attackers, victim: { items = [] } } = killmail
      const turned = withVictim(changed(killmail, { attackers: attackers.toReversed() }), { items: items.toReversed() })
      const [said, saidOfTurned] = [killmail, turned].map((mail) => {
        const { valuation, ...rest } = judge(mail, priceList(priceDay(mail), anything, anyMarket), anything)
        const { lines: _, ...totals } = valuation
        return { ...rest, ...totals }
      })
      assert.deepStrictEqual(saidOfTurned, said, `mail ${k}`)
      assert.isTrue(Number.isInteger(said!.points) && said!.points >= 1)
      assert.strictEqual(said!.total, said!.destroyed + said!.dropped)
    }
  })
})
