import { assert, describe, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import Bunzip from "seek-bzip"
import { manualArchives } from "../../src/sandbox/Archives.ts"
import { censusOf } from "../../src/sandbox/Census.ts"
import { esi } from "../../src/sandbox/Esi.ts"
import { everef } from "../../src/sandbox/EveRef.ts"
import { typeIds } from "../../src/sandbox/Gazetteer.ts"
import { makeJudge } from "../../src/sandbox/Judge.ts"
import { clockMarket, manualMarket } from "../../src/sandbox/Market.ts"
import { stage } from "../../src/sandbox/Stage.ts"
import { worthOf } from "../../src/sandbox/Worth.ts"
import { askAt, rulesOf } from "./Visitor.ts"

const rifter = 587
const noon = Date.UTC(2026, 10, 20, 12)
const hour = 3_600_000
const day = 24 * hour

const setUp = (market = clockMarket("tests"), speed = 1) => {
  const judge = makeJudge()
  const archive = everef(market, manualArchives(), judge, speed)
  const api = esi(stage(), censusOf("tests"), market, judge, speed)
  return {
    judge,
    market,
    fromEveRef: (path: string, at = noon, headers: Record<string, string> = {}) =>
      askAt(archive, judge, `/market-history/${path}`, at, headers),
    fromEsi: (path: string, at = noon) => askAt(api, judge, path, at)
  }
}

const rowsOf = (bytes: Uint8Array) => {
  const [heading, ...rows] = Bunzip.decode(Buffer.from(bytes), undefined, true).toString().trim().split("\n")
  return { columns: heading!.split(","), rows: rows.map((row) => row.split(",")) }
}

const bytesOf = async (seed: string) =>
  Buffer.from((await setUp(clockMarket(seed)).fromEveRef("2026/market-history-2026-11-19.csv.bz2")).bytes!)

describe("EVE Ref's market history", () => {
  it("has a file of each day, from the first market to yesterday's an hour after the downtime", async () => {
    const { fromEveRef } = setUp()
    const statusOf = async (path: string, at = noon) => (await fromEveRef(path, at)).status
    assert.strictEqual(await statusOf("2003/market-history-2003-09-30.csv.bz2"), 404)
    assert.strictEqual(await statusOf("2003/market-history-2003-10-01.csv.bz2"), 200)
    assert.strictEqual(await statusOf("2026/market-history-2026-11-19.csv.bz2"), 200)
    assert.strictEqual(await statusOf("2026/market-history-2026-11-19.csv.bz2", noon - hour), 404)
    assert.strictEqual(await statusOf("2026/market-history-2026-11-20.csv.bz2"), 404)
    assert.strictEqual(await statusOf("2025/market-history-2026-11-19.csv.bz2"), 404)
  })

  it("counts the records of each day", async () => {
    const { fromEveRef } = setUp()
    const totals = JSON.parse((await fromEveRef("totals.json")).body!)
    for (const date of ["2003-10-01", "2026-11-18", "2026-11-19"]) {
      const { bytes } = await fromEveRef(`${date.slice(0, 4)}/market-history-${date}.csv.bz2`)
      assert.strictEqual(rowsOf(bytes!).rows.length, totals[date])
    }
    assert.strictEqual(Object.keys(totals).length, (Date.UTC(2026, 10, 19) - Date.UTC(2003, 9, 1)) / day + 1)
  })

  it("has changed the order of its columns over the years", async () => {
    const { fromEveRef } = setUp()
    const columnsOf = async (date: string) =>
      rowsOf((await fromEveRef(`${date.slice(0, 4)}/market-history-${date}.csv.bz2`)).bytes!).columns.slice(0, 5).join()
    assert.strictEqual(await columnsOf("2003-10-01"), "date,region_id,type_id,average,highest")
    assert.strictEqual(await columnsOf("2020-06-17"), "date,region_id,type_id,average,lowest")
    assert.strictEqual(await columnsOf("2026-11-19"), "average,date,highest,lowest,order_count")
  })

  it("grows for a day after it appeared, and says so to whoever has the file", async () => {
    const { fromEveRef } = setUp()
    const path = "2026/market-history-2026-11-19.csv.bz2"
    const first = await fromEveRef(path)
    const etag = first.headers!["etag"]!
    assert.strictEqual(etag, `"${createHash("md5").update(first.bytes!).digest("hex")}"`)
    assert.strictEqual((await fromEveRef(path, noon + hour, { "if-none-match": etag })).status, 304)
    const second = await fromEveRef(path, noon + day, { "if-none-match": etag })
    assert.isAbove(rowsOf(second.bytes!).rows.length, rowsOf(first.bytes!).rows.length)
  })

  it("is the same for the same seed", async () => {
    assert.isTrue((await bytesOf("a")).equals(await bytesOf("a")))
    assert.isFalse((await bytesOf("a")).equals(await bytesOf("b")))
  })

  it("is listed by year", async () => {
    const market = manualMarket()
    market.publishDay("2026-11-19", { [rifter]: 1 })
    const { fromEveRef } = setUp(market)
    const { files } = JSON.parse((await fromEveRef("2026/index.json")).body!)
    assert.strictEqual(files[0].name, "market-history-2026-11-19.csv.bz2")
    assert.strictEqual((await fromEveRef("2025/index.json")).status, 404)
  })

  it("is refused to whoever takes it at full speed", async () => {
    const { fromEveRef, judge } = setUp(manualMarket())
    const statuses = []
    for (let each = 0; each < 51; each++) statuses.push((await fromEveRef("totals.json", noon + each * 100)).status)
    assert.deepStrictEqual([...new Set(statuses)], [200, 429])
    assert.deepStrictEqual(rulesOf(judge), ["budget"])
  })
})

const pathOf = (typeId: number | string, region = 10_000_002) => `/markets/${region}/history?type_id=${typeId}`

describe("ESI's markets", () => {
  it("say what EVE Ref says, and what the sandbox's zKillboard values killmails by", async () => {
    const { fromEsi, market } = setUp()
    const { body } = await fromEsi(pathOf(rifter))
    const history: ReadonlyArray<{ readonly date: string; readonly average: number }> = JSON.parse(body!)
    assert.isAbove(history.length, 340)
    assert.strictEqual(history.at(-1)!.date, "2026-11-19")
    const usual = history.filter(({ average }) => average === worthOf(rifter))
    assert.isAbove(usual.length, 0.98 * history.length)
    const archived = market.archived(Date.UTC(2026, 10, 1) / day, noon)!.find(({ typeId }) => typeId === rifter)
    assert.strictEqual(archived!.average, history.find(({ date }) => date === "2026-11-01")!.average)
  })

  it("know nothing of what is never sold, and want a type", async () => {
    const { fromEsi } = setUp()
    assert.strictEqual((await fromEsi(pathOf(670))).status, 404)
    assert.strictEqual((await fromEsi(pathOf(1))).status, 404)
    assert.strictEqual((await fromEsi(pathOf(rifter, 10_000_001))).status, 404)
    assert.strictEqual((await fromEsi("/markets/10000002/history")).status, 400)
  })

  it("list every type, with an average where it is sold", async () => {
    const { fromEsi } = setUp()
    const prices: ReadonlyArray<{ readonly type_id: number; readonly average_price?: number }> = JSON.parse(
      (await fromEsi("/markets/prices")).body!
    )
    const priceOf = (typeId: number) => prices.find(({ type_id }) => type_id === typeId)
    assert.strictEqual(priceOf(rifter)!.average_price, worthOf(rifter))
    assert.notProperty(priceOf(670)!, "average_price")
  })

  it("answer 500 for a minute to whoever asks for more than 300 histories a minute", async () => {
    const { fromEsi, judge } = setUp()
    const types = [...typeIds].filter((typeId) => worthOf(typeId) > 50_000).slice(0, 301)
    const statuses = []
    for (const [each, typeId] of types.entries()) {
      statuses.push((await fromEsi(pathOf(typeId), noon + each + (each < 200 ? 0 : 30_000))).status)
    }
    assert.deepStrictEqual(statuses.slice(-2), [200, 500])
    assert.deepStrictEqual(rulesOf(judge), ["budget"])
    assert.strictEqual((await fromEsi(pathOf(34), noon + 89_000)).status, 500)
    assert.strictEqual((await fromEsi(pathOf(types[300]!), noon + 95_000)).status, 200)
  })
})
