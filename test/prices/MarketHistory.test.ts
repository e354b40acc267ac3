import { assert, describe, it } from "@effect/vitest"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { pack } from "tar-stream"
import { daysOf, isMarketHistory, marketOf } from "../../src/prices/MarketHistory.ts"
import { bzip2 } from "../../src/sandbox/Bzip2.ts"

const today = "average,date,highest,lowest,order_count,volume,http_last_modified,region_id,type_id"
const rowOf = (average: number | string, typeId: number, region = 10_000_002, date = "2026-07-20") =>
  `${average},${date},6.00,5.00,12,1000,2026-07-21T11:05:00Z,${region},${typeId}`
const csvOf = (...rows: ReadonlyArray<string>) => [today, ...rows, ""].join("\n")

const read = async (name: string, content: string | Uint8Array) => {
  const days = []
  const bytes = typeof content === "string" ? Buffer.from(content) : content
  for await (const day of daysOf(name, bytes)) {
    days.push({
      day: day.day,
      records: day.records,
      prices: Object.fromEntries([...day.typeIds].map((typeId, index) => [typeId, day.averages[index]]))
    })
  }
  return days
}

const problemOf = (name: string, content: string | Uint8Array) =>
  read(name, content).then(() => "none", (cause: Error) => cause.message)

describe("a file of market history", () => {
  it("gives The Forge's averages, and how many records it has in all", async () => {
    const text = csvOf(rowOf("5.50", 34), rowOf("9999.99", 34, 10_000_043), rowOf("1000000.00", 587))
    assert.deepStrictEqual(await read("market-history-2026-07-20.csv", text), [
      { day: "2026-07-20", records: 3, prices: { 34: 5.5, 587: 1_000_000 } }
    ])
  })

  it("gives no price of what nobody bought", async () => {
    const [day] = await read("a.csv", csvOf(rowOf("0", 34), rowOf("", 35), rowOf("0.01", 36)))
    assert.deepStrictEqual(day!.prices, { 36: 0.01 })
  })

  it("gives PLEX from its own market, which it has since July 2025", async () => {
    const [day] = await read(
      "a.csv",
      csvOf(rowOf("1", 44_992), rowOf("5000000", 44_992, 19_000_001), rowOf("7", 34, 19_000_001))
    )
    assert.deepStrictEqual(day!.prices, { 44_992: 5_000_000 })
    assert.deepStrictEqual([marketOf(44_992), marketOf(34)], [19_000_001, 10_000_002])
  })

  it("is read by the names of its columns, whose order has changed", async () => {
    const layouts = {
      2003: "date,region_id,type_id,average,highest,lowest,volume,order_count\n2003-10-01,10000002,34,5.5,6,5,54,1\n",
      2020:
        "date,region_id,type_id,average,lowest,highest,volume,order_count\r\n2020-06-17,10000002,34,5.5,5,6,54,1\r\n"
    }
    for (const [year, text] of Object.entries(layouts)) {
      const [day] = await read(`${year}.csv`, text)
      assert.deepStrictEqual(day!.prices, { 34: 5.5 })
    }
  })

  it("may be packed, or be a year of days with or without a folder", async () => {
    const text = csvOf(rowOf("5.50", 34))
    const expected = [{ day: "2026-07-20", records: 1, prices: { 34: 5.5 } }]
    assert.deepStrictEqual(await read("a.csv.bz2", bzip2(Buffer.from(text))), expected)
    assert.deepStrictEqual(await read("a.csv.gz", gzipSync(text)), expected)

    const archive = pack()
    archive.entry({ name: "2021/", type: "directory" })
    archive.entry({ name: "2021/market-history-2021-01-01.csv" }, csvOf(rowOf("1", 34, 10_000_002, "2021-01-01")))
    archive.entry(
      { name: "market-history-2021-01-02.csv.bz2" },
      bzip2(Buffer.from(csvOf(rowOf("2", 34, 10_000_002, "2021-01-02"))))
    )
    archive.entry({ name: "README" }, "of no use")
    archive.finalize()
    const year = bzip2(Buffer.concat(await Array.fromAsync(archive as AsyncIterable<Buffer>)))
    assert.deepStrictEqual(await read("market-history-2021.tar.bz2", year), [
      { day: "2021-01-01", records: 1, prices: { 34: 1 } },
      { day: "2021-01-02", records: 1, prices: { 34: 2 } }
    ])
  })

  it("is refused with one sentence that says what is wrong where", async () => {
    const whole = bzip2(Buffer.from(csvOf(rowOf("5.50", 34))))
    assert.match(
      await problemOf("a.csv", "date,region_id,price\n"),
      /^a\.csv: its first line names no column type_id, wants date, /
    )
    assert.match(await problemOf("a.csv", "<html>"), /^a\.csv: its first line names no column date/)
    assert.match(
      await problemOf("a.csv", csvOf(rowOf("5", 34), "5,2026-07-20")),
      /^a\.csv, line 3 is no price: 5,2026-07-20$/
    )
    assert.match(await problemOf("a.csv", csvOf(rowOf("cheap", 34))), /^a\.csv, line 2 is no price/)
    assert.match(await problemOf("a.csv", csvOf(rowOf("-1", 34))), /^a\.csv, line 2 is no price/)
    assert.match(await problemOf("a.csv.bz2", whole.subarray(0, whole.length / 2)), /^a\.csv\.bz2 cannot be unpacked: /)
    assert.match(await problemOf("a.csv.bz2", Buffer.from("<html>")), /^a\.csv\.bz2 cannot be unpacked: Not bzip data/)
    assert.match(await problemOf("a.csv.gz", Buffer.from("no")), /^a\.csv\.gz cannot be unpacked: /)
    assert.match(await problemOf("a.tar.bz2", bzip2(Buffer.from("no archive"))), /^a\.tar\.bz2 cannot be read: /)
    assert.match(await problemOf("a.tar.bz2", Buffer.from("no")), /^a\.tar\.bz2 cannot be read: /)
  })

  it("is known by its name", () => {
    const names = ["a.csv", "a.csv.bz2", "a.csv.gz", "a.tar.bz2", "totals.json", "a.7z", "a.csv.part"]
    assert.deepStrictEqual(names.map(isMarketHistory), [true, true, true, true, false, false, false])
  })

  it("is read from disk where it is not given", async () => {
    const directory = mkdtempSync(join(tmpdir(), "killmaild-prices-"))
    const path = join(directory, "a.csv")
    writeFileSync(path, csvOf(rowOf("5.50", 34)))
    const days = await Array.fromAsync(daysOf(path))
    rmSync(directory, { recursive: true })
    assert.deepStrictEqual(days.map(({ day }) => day), ["2026-07-20"])
  })

  const sample = join(import.meta.dirname, "../../../shared/corpus/market/everef-market-history-format-sample.csv")
  it.skipIf(!existsSync(sample))(
    "in EVE Ref's own format, with all that is odd in it, is read (needs the corpus)",
    async () => {
      const days = await Array.fromAsync(daysOf(sample))
      assert.deepStrictEqual(
        days.map(({ averages, day, records, typeIds }) => [day, records, [...typeIds], [...averages]]),
        [
          ["2026-07-20", 7, [34, 587, 35, 36], [5.5, 1_000_000, 77.25, 42]]
        ]
      )
    }
  )
})
