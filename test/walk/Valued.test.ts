import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { Server } from "../../src/api/Server.ts"
import { hashOf } from "../../src/domain/Killmail.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { PriceImports } from "../../src/store/PriceImports.ts"
import { connectSocket } from "../support/SocketClient.ts"
import { eventually, manualSandbox, startDaemon } from "../support/TestDaemon.ts"

interface Stored {
  readonly total: number
  readonly unpriced: number
  readonly version: number | null
}

const storedValue = (accept: (stored: Stored) => boolean) =>
  Effect.map(
    eventually(
      (sql) =>
        sql<Stored>`
          select total_value::float8 as total, unpriced_items as unpriced, valuation_version as version from killmails`,
      (rows) => rows.length === 1 && accept(rows[0]!),
      60_000
    ),
    ([row]) => row!
  )

describe("a killmail that is heard of before its prices exist", () => {
  it.live(
    "says so, has the right value when they arrive, without a restart, and its listeners are told",
    () =>
      Effect.gen(function*() {
        const sandbox = yield* manualSandbox()
        const { killmail, zkb } = killmailOf("valued", 7)
        const items = [{ item_type_id: 34, flag: 5, singleton: 0, quantity_destroyed: 3, quantity_dropped: 2 }]
        const rifter = { ...killmail, victim: { ...killmail.victim, ship_type_id: 587, items } }
        const { context } = yield* startDaemon(sandbox)
        const { url } = Context.get(context, Server)
        const client = yield* connectSocket(url)
        client.send({ action: "subscribe", id: "all" })
        yield* client.frame(({ type }) => type === "caught_up")
        yield* Effect.gen(function*() {
          const prices = yield* PriceImports
          const sql = yield* SqlClient.SqlClient
          sandbox.publishR2z2({ esi: rifter, hash: hashOf(rifter), zkb })
          const before = yield* storedValue(({ total }) => total !== null)
          assert.isAbove(before.unpriced, 0)

          const day = rifter.killmail_time.slice(0, 10)
          const average = (typeId: number, price: number) =>
            prices.addHistory(typeId, [{
              day: new Date(Date.parse(day) - 86_400_000).toISOString().slice(0, 10),
              average: price
            }])
          yield* average(587, 500_000)
          yield* average(34, 4)
          // Every process has heard of what arrived a while ago.
          yield* sql`update price_arrivals set at = at - interval '1 minute'`
          const after = yield* storedValue(({ unpriced }) => unpriced === 0)
          assert.strictEqual(after.total, 500_020)

          const { data } = yield* client.frame(({ data, type }) =>
            type === "revalued" && data?.value?.unpriced_items === 0
          )
          assert.deepStrictEqual(data!.value, {
            destroyed: 500_012,
            dropped: 8,
            fitted: 500_000,
            total: 500_020,
            unpriced_items: 0
          })
          const text = yield* Effect.promise(() =>
            fetch(`${url}/api/v1/killmails/${rifter.killmail_id}/valuation`).then((response) => response.text())
          )
          const answer: { value: unknown; items: Array<{ price: number; rule: string }> } = JSON.parse(text)
          assert.deepStrictEqual(answer.value, data!.value)
          assert.deepStrictEqual(
            answer.items.map(({ price, rule }) => [rule, price]),
            [["market", 500_000], ["market", 4]]
          )
        }).pipe(Effect.provide(context))
      }),
    90_000
  )
})
