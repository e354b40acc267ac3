import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { EsiMarkets } from "../../src/esi/EsiMarkets.ts"
import { Settings } from "../../src/Settings.ts"
import { RateLimits } from "../../src/store/RateLimits.ts"
import { reasonOf } from "./EsiWorld.ts"
import { makeScriptedEsi } from "./ScriptedEsi.ts"
import { upstreamState } from "./upstreamState.ts"

const theForge = 10_000_002
const historyPath = "/markets/10000002/history?type_id=34"

const makeWorld = Effect.gen(function*() {
  const server = yield* makeScriptedEsi
  const { url } = yield* upstreamState
  const services = yield* Layer.build(Layer.fresh(
    EsiMarkets.layer.pipe(
      Layer.provideMerge(RateLimits.layer),
      Layer.provideMerge(PgClient.layer({ url: Redacted.make(url) })),
      Layer.provide(NodeHttpClient.layerUndici),
      Layer.provide(Settings.layerFrom({ KILLMAILD_ESI_URL: server.url, KILLMAILD_CONTACT: "tests@example.org" }))
    )
  ))
  return { server, markets: Context.get(services, EsiMarkets), limits: Context.get(services, RateLimits) }
})

describe.concurrent("ESI's markets", () => {
  it.live("tell a type's averages by day", () =>
    Effect.gen(function*() {
      const { markets, server } = yield* makeWorld
      const row = { average: 4.02, date: "2026-11-18", highest: 4.1, lowest: 3.9, order_count: 1, volume: 5e10 }
      server.script(historyPath, { body: JSON.stringify([row]) })
      const history = yield* markets.history(theForge, 34)
      assert.deepStrictEqual(history.map(({ average, date }) => [date, average]), [["2026-11-18", 4.02]])
    }))

  it.live("know no type that was never sold, and answer with nothing else than what was asked for", () =>
    Effect.gen(function*() {
      const { markets, server } = yield* makeWorld
      server.script(historyPath, { status: 404, body: "{\"error\":\"Type not found!\"}" })
      assert.strictEqual((yield* reasonOf(markets.history(theForge, 34)))._tag, "EsiNotFound")
      server.script(historyPath, { body: "[{\"date\":\"yesterday\",\"average\":1}]" })
      assert.strictEqual((yield* reasonOf(markets.history(theForge, 34)))._tag, "EsiUndecodable")
    }))

  it.live("are asked for few histories a minute, and for none for a minute after a 500", () =>
    Effect.gen(function*() {
      const { limits, markets, server } = yield* makeWorld
      server.script(historyPath, { body: "[]" })
      for (let each = 0; each < 30; each++) yield* markets.history(theForge, 34)
      assert.deepInclude(yield* reasonOf(markets.history(theForge, 34)), {
        _tag: "EsiPaused",
        bucket: "esi:market-history"
      })
      assert.strictEqual(server.requests.length, 30)

      const other = yield* makeWorld
      other.server.script(historyPath, { status: 500, body: "{\"error\":\"Too many requests\"}" })
      assert.strictEqual((yield* reasonOf(other.markets.history(theForge, 34)))._tag, "EsiUnavailable")
      const [state] = yield* other.limits.list(["esi:market-history"])
      assert.isAbove(state!.pauseMillis, 50_000)
      assert.deepStrictEqual((yield* limits.list(["esi:market-history"]))[0]!.pauseMillis, 0)
    }))

  it.live("give CCP's list, once an hour over all replicas, and again after a failure", () =>
    Effect.gen(function*() {
      const { markets, server } = yield* makeWorld
      server.script(
        "/markets/prices",
        ...Array.from({ length: 3 }, () => ({ status: 502, body: "" })),
        { status: 200, body: "{\"players\":1}" },
        { body: "[{\"type_id\":34,\"adjusted_price\":4.5},{\"type_id\":35,\"average_price\":8}]" }
      )
      server.script("/status", { body: "{\"players\":1}" })
      assert.strictEqual((yield* reasonOf(markets.prices))._tag, "EsiUnavailable")
      assert.deepStrictEqual(yield* markets.prices, [{ type_id: 34, adjusted_price: 4.5 }, {
        type_id: 35,
        average_price: 8
      }])
      assert.isUndefined(yield* markets.prices)
    }))

  const market = join(import.meta.dirname, "../../../shared/corpus/market")
  it.live.skipIf(!existsSync(market))(
    "are read as they were recorded (needs the corpus)",
    () =>
      Effect.gen(function*() {
        const { markets, server } = yield* makeWorld
        const recorded = JSON.parse(readFileSync(join(market, "esi-markets-history-sample.json"), "utf8"))
        server.script(historyPath, { body: JSON.stringify(recorded.body) })
        server.script("/markets/prices", {
          body: gunzipSync(readFileSync(join(market, "esi-markets-prices-2020-03-08.json.gz"))).toString()
        })
        assert.strictEqual((yield* markets.history(theForge, 34)).length, recorded.body.length)
        const prices = (yield* markets.prices)!
        assert.strictEqual(prices.length, 12_565)
        assert.strictEqual(prices.filter(({ average_price }) => average_price !== undefined).length, 10_705)
      })
  )
})
