/**
 * Reads files of market history: one CSV a day, of all regions or some, plain or packed, or a year of them in one archive.
 * Only what a killmail is valued by is kept. Sizes: a day is 5 MB of text with 50,000 rows, of which 12,000 are kept.
 */
import { readFile } from "node:fs/promises"
import { basename } from "node:path"
import { pipeline, Readable } from "node:stream"
import { gunzipSync } from "node:zlib"
import Bunzip from "seek-bzip"
import { extract } from "tar-stream"
import type { DayPrices } from "../store/PriceImports.ts"

/** One day of a file. */
export interface ReadDay extends DayPrices {
  /** Rows of all regions, which is what EVE Ref counts. */
  readonly records: number
}

/** Where prices are made: Jita is there. */
const theForge = 10_000_002
/** PLEX has a market of its own since 2025-07-07, and no sale in a region any more (esi-issues #1455). */
const plex = 44_992
const plexMarket = 19_000_001

/** The region in whose market a type is sold today. */
export const marketOf = (typeId: number): number => typeId === plex ? plexMarket : theForge

/** Names of what `daysOf` can read. */
export const isMarketHistory = (name: string): boolean => /\.(csv|csv\.bz2|csv\.gz|tar\.bz2)$/.test(name)

/** Every day of a file, by the dates in it. Fails with one sentence that says what is wrong where. */
export async function* daysOf(path: string, bytes?: Uint8Array): AsyncGenerator<ReadDay> {
  const name = basename(path)
  const data = Buffer.from(bytes ?? await readFile(path))
  if (name.endsWith(".tar.bz2")) return yield* daysOfArchive(name, data)
  yield* readCsv(name, unpack(name, data))
}

const unpack = (name: string, data: Buffer): string => {
  try {
    return (name.endsWith(".bz2")
      ? Bunzip.decode(data, undefined, true)
      : name.endsWith(".gz")
      ? gunzipSync(data)
      : data)
      .toString("latin1")
  } catch (cause) {
    throw new Error(`${name} cannot be unpacked: ${messageOf(cause)}.`, { cause })
  }
}

/** Until November 2023 EVE Ref kept past years as one archive each, with or without a folder in it. */
async function* daysOfArchive(name: string, data: Buffer): AsyncGenerator<ReadDay> {
  try {
    const archive = extract()
    pipeline(Readable.from(blocksOf(data)), archive, () => {})
    for await (const entry of archive) {
      const chunks: Array<Buffer> = []
      for await (const chunk of entry) chunks.push(chunk as Buffer)
      const member = basename(entry.header.name)
      if (entry.header.type !== "file" || !isMarketHistory(member)) continue
      yield* readCsv(`${name}, ${member}`, unpack(member, Buffer.concat(chunks)))
    }
  } catch (cause) {
    throw cause instanceof BadRow ? cause : new Error(`${name} cannot be read: ${messageOf(cause)}.`, { cause })
  }
}

/** 900 kB at a time, as a year is hundreds of megabytes. */
function* blocksOf(data: Buffer): Generator<Buffer> {
  const positions: Array<number> = []
  Bunzip.table(data, (position) => positions.push(position), true)
  for (const position of positions) yield Bunzip.decodeBlock(data, position)
}

/** The file is not what it should be. */
class BadRow extends Error {}

const columns = ["date", "region_id", "type_id", "average"] as const

/** Columns are found by name: their order has changed over the years. */
function* readCsv(where: string, text: string): Generator<ReadDay> {
  const lines = linesOf(text)
  const heading = (lines.next().value ?? "").split(",")
  const at = columns.map((column) => heading.indexOf(column))
  const lacking = columns.find((_, index) => at[index] === -1)
  if (lacking !== undefined) {
    throw new BadRow(`${where}: its first line names no column ${lacking}, wants ${columns.join(", ")}.`)
  }
  const days = new Map<string, { readonly prices: Map<number, number>; records: number }>()
  let number = 1
  for (const line of lines) {
    number++
    if (line === "") continue
    const cells = line.split(",")
    const [date, region, type, average] = at.map((column) => cells[column]!)
    const [regionId, typeId, price] = [Number(region), Number(type), Number(average)]
    if (
      cells.length !== heading.length || !/^\d{4}-\d\d-\d\d$/.test(date!) || !/^\d{1,9}$/.test(type!) || !(price >= 0)
    ) {
      throw new BadRow(`${where}, line ${number} is no price: ${line.slice(0, 100)}`)
    }
    const day = days.get(date!) ?? { prices: new Map<number, number>(), records: 0 }
    if (day.records++ === 0) days.set(date!, day)
    // A day without a sale is 0, or empty.
    if (price > 0 && price < Infinity && (regionId === theForge || regionId === marketOf(typeId))) {
      day.prices.set(typeId, price)
    }
  }
  for (const [day, { prices, records }] of days) {
    yield { day, typeIds: Int32Array.from(prices.keys()), averages: Float64Array.from(prices.values()), records }
  }
}

function* linesOf(text: string): Generator<string, undefined> {
  for (let start = 0; start < text.length;) {
    const end = text.indexOf("\n", start)
    yield text.slice(start, end === -1 ? text.length : end).trimEnd()
    start = end === -1 ? text.length : end + 1
  }
}

const messageOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)
