import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { largestIsk } from "../../src/domain/Isk.ts"
import type { Item, Killmail } from "../../src/domain/Killmail.ts"
import { type PriceList, priceList } from "../../src/domain/PriceList.ts"
import { priceDay, type Valuation, valuationOf } from "../../src/domain/Valuation.ts"
import { factsOf, marketOf, typeOf } from "../support/Facts.ts"

const [hull, gun, ammo, blueprint, wrap, crate, unpriced, abyssal, component] = [1, 2, 3, 4, 3468, 6, 7, 8, 9]
const goldenPodImplant = 33_329

const facts = factsOf([
  typeOf(hull),
  typeOf(blueprint, { categoryId: 9 }),
  typeOf(abyssal, { categoryId: 7, metaGroupId: 15 }),
  typeOf(10, {
    groupId: 30,
    manufacturing: { outputQuantity: 1, materials: [component, unpriced].map((typeId) => ({ typeId, quantity: 10 })) }
  })
])
const market = marketOf({
  [hull]: 1000,
  [gun]: 100,
  [ammo]: 0.05,
  [blueprint]: 5e6,
  [crate]: 10,
  [component]: 20,
  [goldenPodImplant]: 9e9
})

const dropped = (item_type_id: number, flag: number, quantity: number, rest: Partial<Item> = {}): Item => ({
  item_type_id,
  flag,
  singleton: 0,
  quantity_dropped: quantity,
  ...rest
})
const destroyed = (item_type_id: number, flag: number, quantity: number, rest: Partial<Item> = {}): Item => ({
  item_type_id,
  flag,
  singleton: 0,
  quantity_destroyed: quantity,
  ...rest
})

const mailOf = (items: ReadonlyArray<Item>, ship_type_id = hull): Killmail => ({
  killmail_id: 133_500_000,
  killmail_time: "2026-04-15T14:56:23Z",
  solar_system_id: 30_000_142,
  victim: { ship_type_id, damage_taken: 1, items },
  attackers: []
})

const dayAt = (killmail_time: string) => priceDay({ ...mailOf([]), killmail_time })

const list = priceList("2026-04-15", facts, market)
const valued = (...items: ReadonlyArray<Item>) => valuationOf(mailOf(items), list, facts)
/** Without the hull. */
const lines = (...items: ReadonlyArray<Item>) => valued(...items).lines.slice(1)
const sums = ({ destroyed, dropped, fitted, total, unpriced_items }: Valuation) => ({
  destroyed,
  dropped,
  fitted,
  total,
  unpriced_items
})

describe("the value of a loss", () => {
  it("is hull and items, destroyed or dropped", () => {
    assert.deepStrictEqual(sums(valued(destroyed(gun, 27, 2), dropped(ammo, 5, 1000), dropped(gun, 28, 1))), {
      destroyed: 120_000n,
      dropped: 15_000n,
      fitted: 130_000n,
      total: 135_000n,
      unpriced_items: 0
    })
  })

  it("is told line by line: the hull first, then the items as they are stored", () => {
    assert.deepStrictEqual(valued(dropped(gun, 27, 1)).lines, [
      {
        ordinal: null,
        parent_ordinal: null,
        item_type_id: hull,
        flag: null,
        quantity_dropped: 0,
        quantity_destroyed: 1,
        price: 100_000n,
        unpriced: [],
        rule: "market",
        day: "2026-04-15",
        source: "everef"
      },
      {
        ordinal: 0,
        parent_ordinal: null,
        item_type_id: gun,
        flag: 27,
        quantity_dropped: 1,
        quantity_destroyed: 0,
        price: 10_000n,
        unpriced: [],
        rule: "market",
        day: "2026-04-15",
        source: "everef"
      }
    ])
  })

  it("is by the prices of the day, which begins an hour after midnight", () => {
    assert.strictEqual(dayAt("2026-04-15T01:00:00Z"), "2026-04-14")
    assert.strictEqual(dayAt("2026-04-15T01:00:01Z"), "2026-04-15")
    assert.strictEqual(dayAt("2026-01-01T00:00:00Z"), "2025-12-31")
    assert.strictEqual(valued().day, "2026-04-15")
  })

  for (
    const [where, flag, isFitted] of [
      ["low slot", 11, true],
      ["high slot", 34, true],
      ["rig", 92, true],
      ["subsystem", 125, true],
      ["fighter tube", 159, true],
      ["cargo", 5, false],
      ["drone bay", 87, false],
      ["implant", 89, false],
      ["fighter bay", 158, false],
      ["service slot", 164, false]
    ] as const
  ) {
    it(`counts a ${where} ${isFitted ? "as" : "as not"} fitted`, () => {
      assert.strictEqual(valued(destroyed(gun, flag, 1)).fitted, isFitted ? 110_000n : 100_000n)
    })
  }

  it("is a hundredth for copies of blueprints, and for all blueprints of mails that do not tell copies", () => {
    assert.deepStrictEqual(
      lines(dropped(blueprint, 5, 3, { singleton: 2 }), dropped(blueprint, 5, 1)).map((
        { price, rule }
      ) => [price, rule]),
      [[1n, "blueprint_copy"], [500_000_000n, "market"]]
    )
    const old = { ...mailOf([dropped(blueprint, 5, 1)]), killmail_id: 21_112_471 }
    assert.strictEqual(valuationOf(old, list, facts).lines[1]!.rule, "blueprint_copy")
  })

  it("is a hundredth for what is not really lost: the golden pod's implant, and the ship in the frigate bay", () => {
    assert.deepStrictEqual(
      lines(
        destroyed(goldenPodImplant, 89, 1),
        destroyed(goldenPodImplant, 5, 1),
        destroyed(hull, 179, 1),
        destroyed(hull, 90, 1)
      ).map(({ price, rule }) => [price, rule]),
      [[1n, "golden_pod"], [900_000_000_000n, "market"], [1n, "frigate_bay"], [100_000n, "market"]]
    )
  })

  it("is what a wrap holds, and for a crate itself besides", () => {
    assert.deepStrictEqual(
      sums(valued(dropped(wrap, 5, 1, { items: [dropped(gun, 5, 2)] }), dropped(crate, 5, 1, { items: [] }))),
      { destroyed: 100_000n, dropped: 21_000n, fitted: 100_000n, total: 121_000n, unpriced_items: 0 }
    )
    assert.deepStrictEqual(lines(dropped(wrap, 5, 1)).map(({ price, rule }) => [price, rule]), [[0n, "container"]])
  })

  it("goes with the container, however deep and whatever is said of the contents", () => {
    const nested = destroyed(crate, 5, 1, {
      items: [dropped(gun, 27, 1), dropped(wrap, 5, 1, { items: [dropped(ammo, 5, 100)] })]
    })
    assert.deepStrictEqual(sums(valued(nested)), {
      destroyed: 111_500n,
      dropped: 0n,
      fitted: 100_000n,
      total: 111_500n,
      unpriced_items: 0
    })
    assert.deepStrictEqual(lines(nested).map((line) => [line.ordinal, line.parent_ordinal, line.quantity_destroyed]), [
      [0, null, 1],
      [1, 0, 1],
      [2, 0, 1],
      [3, 2, 100]
    ])
    assert.strictEqual(valued(dropped(crate, 5, 1, { items: [destroyed(gun, 5, 1)] })).dropped, 11_000n)
  })

  it("tells how many types have no price, and counts nothing for them", () => {
    const valuation = valued(
      destroyed(unpriced, 27, 1),
      dropped(unpriced, 28, 5),
      destroyed(abyssal, 19, 1),
      destroyed(999, 5, 1)
    )
    assert.deepStrictEqual(sums(valuation), {
      destroyed: 100_000n,
      dropped: 0n,
      fitted: 100_000n,
      total: 100_000n,
      unpriced_items: 3
    })
    assert.deepStrictEqual(valuation.lines.map(({ rule }) => rule), [
      "market",
      "missing",
      "missing",
      "abyssal",
      "missing"
    ])
  })

  it("tells of a titan whose materials lack a price", () => {
    const valuation = valuationOf(mailOf([], 10), list, facts)
    assert.deepStrictEqual([valuation.total, valuation.unpriced_items], [18_000n, 1])
    assert.deepStrictEqual(valuation.lines[0]!.unpriced, [unpriced])
  })

  it("fits into its column, whatever a mail claims", () => {
    const whole = sums(valued(destroyed(goldenPodImplant, 5, 2 ** 53 - 1), dropped(goldenPodImplant, 27, 2 ** 53 - 1)))
    assert.isTrue(whole.total <= largestIsk)
    assert.strictEqual(whole.total, whole.destroyed + whole.dropped)
    assert.isTrue(whole.fitted <= whole.total)
  })
})

/** Prices up to 10^13 ISK in hundredths, by type from 1; a few types have none. */
const prices = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1e15 }))).check(
  Schema.isMinLength(3),
  Schema.isMaxLength(8)
)
const quantity = Schema.Int.check(Schema.isBetween({ minimum: -1, maximum: 5000 }))
const stack = {
  item_type_id: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 })),
  flag: Schema.Literals([5, 11, 27, 34, 87, 89, 92, 125, 155, 159, 179]),
  singleton: Schema.Literals([0, 2]),
  quantity_dropped: Schema.optionalKey(quantity),
  quantity_destroyed: Schema.optionalKey(quantity)
}
const contents = Schema.Array(Schema.Struct(stack)).check(Schema.isMaxLength(4))
const items = Schema.Array(Schema.Struct({ ...stack, items: Schema.optionalKey(contents) })).check(
  Schema.isMaxLength(12)
)
const runs = { arbitrary: { runs: 2000 } }

const unitPrices = (hundredths: ReadonlyArray<number>): PriceList => {
  const market = marketOf(Object.fromEntries(hundredths.map((amount, k) => [k + 1, amount / 100])))
  return priceList("2026-04-15", factsOf([]), market)
}
const valueOf = (items: ReadonlyArray<Item>, priceOf: PriceList) => valuationOf(mailOf(items), priceOf, factsOf([]))

const split = (quantity: number | undefined): readonly [number, number] =>
  quantity === undefined || quantity <= 0 ? [0, 0] : [Math.floor(quantity / 3), quantity - Math.floor(quantity / 3)]

/** Each stack as two; a container cannot be split. */
const splitStacks = (items: ReadonlyArray<Item>): ReadonlyArray<Item> =>
  items.flatMap((item): ReadonlyArray<Item> => {
    if (item.items !== undefined && item.items.length > 0) return [{ ...item, items: splitStacks(item.items) }]
    const dropped = split(item.quantity_dropped)
    const destroyed = split(item.quantity_destroyed)
    return [0, 1].map((half) => ({ ...item, quantity_dropped: dropped[half]!, quantity_destroyed: destroyed[half]! }))
  })

const shuffled = <A>(list: ReadonlyArray<A>, seed: number): ReadonlyArray<A> =>
  list.map((each, k) => [each, (k + 1) * (seed % 97 + 3) % 101] as const).toSorted(([, a], [, b]) => a - b).map((
    [each]
  ) => each)

describe("whatever is lost and whatever it costs, up to 10^13 ISK a unit,", () => {
  it.prop("the total is what was destroyed and what dropped, and no less than what was fitted", [items, prices], ([
    items,
    prices
  ]) => {
    const { destroyed, dropped, fitted, total } = valueOf(items, unitPrices(prices))
    assert.strictEqual(total, destroyed + dropped)
    assert.isTrue(destroyed >= 0n && dropped >= 0n && 0n <= fitted && fitted <= total)
  }, runs)

  it.prop("no hundredth is lost: the lines add up, each its quantity times its price", [items, prices], ([
    items,
    prices
  ]) => {
    const priceOf = unitPrices(prices)
    const { destroyed, dropped, lines } = valueOf(items, priceOf)
    let [sumDestroyed, sumDropped] = [0n, 0n]
    for (const { item_type_id, price, quantity_destroyed, quantity_dropped, rule } of lines) {
      if (rule === "market") assert.strictEqual(price, BigInt(prices[item_type_id - 1]!))
      sumDestroyed += price * BigInt(quantity_destroyed)
      sumDropped += price * BigInt(quantity_dropped)
    }
    assert.deepStrictEqual([destroyed, dropped], [sumDestroyed, sumDropped])
  }, runs)

  it.prop("the order of items changes nothing", [items, prices, Schema.Int], ([items, prices, seed]) => {
    const inOtherOrder = shuffled(items, Math.abs(seed)).map((item) =>
      item.items === undefined ? item : { ...item, items: item.items.toReversed() }
    )
    assert.deepStrictEqual(
      sums(valueOf(inOtherOrder, unitPrices(prices))),
      sums(valueOf(items, unitPrices(prices.slice())))
    )
  }, runs)

  it.prop("splitting stacks changes nothing", [items, prices], ([items, prices]) => {
    assert.deepStrictEqual(
      sums(valueOf(splitStacks(items), unitPrices(prices))),
      sums(valueOf(items, unitPrices(prices)))
    )
  }, runs)
})
