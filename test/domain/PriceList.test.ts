import { assert, describe, it } from "@effect/vitest"
import { priceList } from "../../src/domain/PriceList.ts"
import type { TypeFacts } from "../../src/domain/StaticData.ts"
import type { WellKnownPrice } from "../../src/domain/WellKnownPrices.ts"
import { averagesUpTo, factsOf, marketOf, typeOf } from "../support/Facts.ts"

const day = "2026-04-15"

const listOf = (
  types: ReadonlyArray<TypeFacts>,
  prices: Readonly<Record<number, number>> = {},
  custom: ReadonlyArray<WellKnownPrice> = []
) => priceList(day, factsOf(types), marketOf(prices, custom))

const exception = (type_id: number, price: number): WellKnownPrice => ({
  type_id,
  price,
  valid_from: null,
  valid_until: null,
  reason: "because"
})

const abyssal = (typeId: number, categoryId: number) => typeOf(typeId, { categoryId, metaGroupId: 15 })

const builtFrom = (typeId: number, quantity: number) => ({ outputQuantity: 1, materials: [{ typeId, quantity }] })

describe("the price of a type", () => {
  it("is the market's, and tells of which day and by whom", () => {
    assert.deepStrictEqual(listOf([typeOf(587)], { 587: 412_345.67 })(587), {
      price: 41_234_567n,
      unpriced: [],
      rule: "market",
      day,
      source: "everef"
    })
  })

  it("is of the newest average's day where there was no trade on the day itself", () => {
    const market = { averages: () => averagesUpTo("2026-04-01", [30, 10]), custom: () => undefined }
    const price = priceList(day, factsOf([]), market)(34)
    assert.deepStrictEqual([price.price, price.day], [2000n, "2026-04-01"])
  })

  it("is never more than that of the very day", () => {
    for (const [newest, price] of [[10, 1000n], [400, 20_000n]] as const) {
      const market = { averages: () => averagesUpTo(day, [newest, 100, 100]), custom: () => undefined }
      assert.strictEqual(priceList(day, factsOf([]), market)(34).price, price)
    }
  })

  it("is an exception's before all else, also if it is nothing", () => {
    const list = listOf([typeOf(1, { categoryId: 91 }), typeOf(2, { groupId: 29 }), typeOf(3)], { 3: 5 }, [
      exception(1, 7),
      exception(2, 0),
      exception(3, 9)
    ])
    for (const [typeId, price] of [[1, 700n], [2, 0n], [3, 900n]] as const) {
      assert.deepStrictEqual(list(typeId), { price, unpriced: [], rule: "custom", day, source: "because" })
    }
  })

  it("is 10,000 for any capsule, and a fixed one for two ores", () => {
    const list = listOf([typeOf(670, { groupId: 29 }), typeOf(33_328, { groupId: 29 }), typeOf(5, { groupId: 4513 })], {
      670: 1,
      5: 1e9
    })
    assert.deepStrictEqual([670, 33_328, 5].map((typeId) => [list(typeId).price, list(typeId).rule]), [
      [1_000_000n, "custom"],
      [1_000_000n, "custom"],
      [20_000n, "custom"]
    ])
  })

  it("is a hundredth for a SKIN, whatever the market says", () => {
    const price = listOf([typeOf(1, { categoryId: 91 })], { 1: 5e9 })(1)
    assert.deepStrictEqual([price.price, price.rule, price.unpriced], [1n, "skin", []])
  })

  for (
    const [what, fields] of [
      ["a titan", { groupId: 30 }],
      ["a supercarrier", { groupId: 659 }],
      ["a structure module", { categoryId: 66 }]
    ] as const
  ) {
    it(`is what it costs to build ${what}, though it is on the market, and the market's if nobody builds it`, () => {
      const list = listOf(
        [typeOf(1, { ...fields, manufacturing: builtFrom(34, 10) }), typeOf(2, fields)],
        { 1: 1, 2: 8, 34: 5 }
      )
      assert.deepStrictEqual(list(1), { price: 4500n, unpriced: [], rule: "build", day, source: "materials" })
      assert.deepStrictEqual([list(2).price, list(2).rule], [800n, "market"])
    })
  }

  it("is what it costs to build where the market has none or next to none, but never more than on the very day", () => {
    const types = [typeOf(1, { manufacturing: builtFrom(34, 10) })]
    assert.deepStrictEqual([listOf(types, { 34: 5 })(1).price, listOf(types, { 34: 5 })(1).rule], [4500n, "build"])
    const givenAway = (newest: string) =>
      priceList(day, factsOf(types), {
        averages: (typeId) => typeId === 34 ? averagesUpTo(day, [5]) : averagesUpTo(newest, [0.01]),
        custom: () => undefined
      })(1)
    assert.strictEqual(givenAway("2026-04-14").price, 4500n)
    assert.deepStrictEqual([givenAway(day).price, givenAway(day).rule], [1n, "market"])
  })

  it("goes down to the materials of materials, and names those without a price", () => {
    const list = listOf([
      typeOf(1, { manufacturing: builtFrom(2, 10) }),
      typeOf(2, {
        manufacturing: { outputQuantity: 2, materials: [34, 35].map((typeId) => ({ typeId, quantity: 20 })) }
      })
    ], { 34: 1 })
    assert.deepStrictEqual(list(1), { price: 8100n, unpriced: [35], rule: "build", day, source: "materials" })
  })

  it("is missing, not nothing, where nobody knows one", () => {
    assert.deepStrictEqual(listOf([typeOf(1, { manufacturing: builtFrom(2, 10) })])(1), {
      price: 0n,
      unpriced: [1],
      rule: "missing",
      day: null,
      source: null
    })
    assert.strictEqual(listOf([])(99).rule, "missing")
  })

  it("is missing for what is made from itself over some steps", () => {
    const list = listOf([
      typeOf(1, { manufacturing: builtFrom(2, 1) }),
      typeOf(2, { manufacturing: builtFrom(1, 1) })
    ])
    assert.strictEqual(list(1).rule, "missing")
  })

  it("will never come for mutated modules and drones, but does for mutaplasmids and for what an operator prices", () => {
    const list = listOf([abyssal(1, 7), abyssal(2, 18), abyssal(3, 17), abyssal(4, 7)], {}, [exception(4, 1e9)])
    assert.deepStrictEqual([1, 2, 3, 4].map((typeId) => list(typeId).rule), ["abyssal", "abyssal", "missing", "custom"])
    assert.deepStrictEqual([list(1).price, list(1).unpriced], [0n, [1]])
  })

  it("is not made up from what is no price", () => {
    for (const wrong of [0, -1, Number.NaN, Infinity]) {
      assert.strictEqual(listOf([], { 1: wrong })(1).rule, "missing")
    }
    for (const wrong of [-1, Number.NaN, Infinity]) {
      assert.strictEqual(listOf([], { 1: 5 }, [exception(1, wrong)])(1).rule, "market")
    }
  })

  it("is worked out once", () => {
    let asked = 0
    const list = priceList(day, factsOf([]), {
      averages: () => {
        asked++
        return []
      },
      custom: () => undefined
    })
    assert.strictEqual(list(34), list(34))
    assert.strictEqual(asked, 1)
  })
})
