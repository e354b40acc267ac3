/** A character's market orders. */
import { Effect, Schema } from "effect"
import type { Change } from "../store/CharacterData.ts"
import { isoOf, type Kind } from "./Kind.ts"

const day = 86_400_000

const fields = {
  order_id: Schema.Int,
  type_id: Schema.Int,
  region_id: Schema.Int,
  location_id: Schema.Int,
  range: Schema.String,
  /** ISK a unit. */
  price: Schema.Finite,
  volume_total: Schema.Int,
  volume_remain: Schema.Int,
  issued: Schema.String,
  /** Days since it was issued. */
  duration: Schema.Int,
  is_corporation: Schema.Boolean,
  is_buy_order: Schema.optionalKey(Schema.Boolean),
  min_volume: Schema.optionalKey(Schema.Int),
  escrow: Schema.optionalKey(Schema.Finite)
}
const Order = Schema.Struct(fields)
type Order = typeof Order.Type
/** Those that were cancelled or expired; of one that was filled ESI says nothing more. */
const History = Schema.Array(Schema.Struct({ ...fields, state: Schema.String }))

const Document = Schema.Struct({
  orders: Schema.Array(Order),
  history: History,
  /** What is no longer among the orders, while ESI's history is too old to tell why. */
  gone: Schema.Array(Schema.Struct({ ...fields, gone_at: Schema.Int }))
})
type Document = typeof Document.Type

const ordersRoute = { route: "/characters/{character_id}/orders", schema: Schema.Array(Order) }
const historyRoute = { route: "/characters/{character_id}/orders/history", schema: History }

export const orders: Kind<Document> = {
  name: "orders",
  scopes: ["esi-markets.read_character_orders.v1"],
  document: Document,
  read: Effect.fnUntraced(function*(ask, before) {
    const { at, body: orders } = yield* ask(ordersRoute, before?.orders)
    const { at: toldAt, body: history } = yield* ask(historyRoute, before?.history)
    const present = idsOf(orders)
    const vanished = (before?.orders ?? []).filter(({ order_id }) => !present.has(order_id))
    const gone = [...before?.gone ?? [], ...vanished.map((order) => ({ ...order, gone_at: at }))]
    return { orders, history, gone: gone.filter(({ gone_at }) => gone_at > toldAt) }
  }),
  changes: (before, after, { until }) => {
    const earlier = new Map(before.orders.map((order) => [order.order_id, order]))
    const here = idsOf([...after.orders, ...after.gone])
    const states = new Map(after.history.map(({ order_id, state }) => [order_id, state]))
    const ended = [...before.orders, ...before.gone].filter(({ order_id }) => !here.has(order_id))
    return [
      ...after.orders.flatMap((order) => changeOf(earlier.get(order.order_id), order, until)),
      ...ended.map((order) => noted(`order_${fateOf(order, states, until)}`, String(order.order_id), order, until))
    ]
  },
  ends: ({ orders }) => orders.map((order) => isoOf(endOf(order)))
}

const idsOf = (orders: ReadonlyArray<Order>) => new Set(orders.map(({ order_id }) => order_id))

const endOf = ({ duration, issued }: Order): number => Date.parse(issued) + duration * day

const fateOf = (order: Order, states: ReadonlyMap<number, string>, now: number): string =>
  states.get(order.order_id) ?? (endOf(order) <= now ? "expired" : "filled")

const changeOf = (before: Order | undefined, after: Order, now: number): ReadonlyArray<Change> => {
  const { issued, order_id, price, volume_remain } = after
  if (before === undefined) return [noted("order_placed", String(order_id), after, now)]
  return [
    ...(price === before.price && issued === before.issued
      ? []
      : [noted("order_changed", `${order_id}:${issued}`, after, now)]),
    ...(volume_remain >= before.volume_remain
      ? []
      : [noted("order_partly_filled", `${order_id}:${volume_remain}`, after, now)])
  ]
}

const noted = (change: string, subject: string, order: Order, now: number): Change => {
  const { is_buy_order = false, location_id, order_id, price, type_id, volume_remain, volume_total } = order
  const at = isoOf(change === "order_expired" ? Math.min(endOf(order), now) : now)
  const data = { order_id, type_id, location_id, is_buy_order, price, volume_total, volume_remain, at }
  return { change, subject, at, data }
}
