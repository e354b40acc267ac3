import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Ask } from "../../src/character-data/Kind.ts"
import { orders } from "../../src/character-data/Orders.ts"

type Document = Parameters<typeof orders.changes>[0]
type Order = Document["orders"][number]

const noon = Date.parse("2026-11-21T12:00:00Z")
const between = { characterId: 1, since: noon, until: noon + 600_000 }

const order = (order_id: number, more: Partial<Order> = {}): Order => ({
  order_id,
  type_id: 34,
  region_id: 10_000_002,
  location_id: 60_003_760,
  range: "region",
  price: 5,
  volume_total: 100,
  volume_remain: 100,
  issued: "2026-11-21T00:00:00Z",
  duration: 90,
  is_corporation: false,
  ...more
})
const document = (more: Partial<Document>): Document => ({ orders: [], history: [], gone: [], ...more })
const changes = (before: Document, after: Document) =>
  orders.changes(before, after, between).map(({ change }) => change)

describe("an order that is no longer there", () => {
  const before = document({ orders: [order(1)] })

  it("was cancelled or expired when ESI's history says so", () => {
    for (const state of ["cancelled", "expired"]) {
      assert.deepStrictEqual(changes(before, document({ history: [{ ...order(1), state }] })), [`order_${state}`])
    }
  })

  it("was filled when its time was not over, else it expired", () => {
    assert.deepStrictEqual(changes(before, document({})), ["order_filled"])
    const short = document({ orders: [order(1, { issued: "2026-11-20T12:05:00Z", duration: 1 })] })
    assert.deepStrictEqual(changes(short, document({})), ["order_expired"])
  })

  it.effect("is not judged before ESI's history is newer than its absence", () =>
    Effect.gen(function*() {
      const read = (here: ReadonlyArray<Order>, toldAt: number, known: Document) => {
        const ask = ((route, _known) =>
          Effect.succeed(
            route.route.endsWith("history") ? { body: [], at: toldAt } : { body: here, at: noon }
          )) as Ask
        return orders.read(ask, known)
      }
      const waiting = yield* read([], noon - 1, before)
      assert.deepStrictEqual(waiting.gone.map(({ order_id }) => order_id), [1])
      assert.deepStrictEqual(changes(before, waiting), [])
      const judged = yield* read([], noon + 1, waiting)
      assert.deepStrictEqual(judged.gone, [])
      assert.deepStrictEqual(changes(waiting, judged), ["order_filled"])
    }))
})

describe("an order that is still there", () => {
  it("is told when it is placed, changed or filled in part", () => {
    assert.deepStrictEqual(changes(document({}), document({ orders: [order(1)] })), ["order_placed"])
    const before = document({ orders: [order(1)] })
    const after = document({ orders: [order(1, { price: 4, issued: "2026-11-21T12:01:00Z", volume_remain: 40 })] })
    assert.deepStrictEqual(changes(before, after), ["order_changed", "order_partly_filled"])
    assert.deepStrictEqual(changes(after, after), [])
  })
})
