/**
 * EVE Ref's archives (data.everef.net): static files behind Cloudflare. Market history and killmails are one file a day,
 * packed, with a list of how many records each day has. Layouts as they were published over the years.
 */
import { createHash } from "node:crypto"
import type { Archives } from "./Archives.ts"
import { slidingWindow } from "./Budgets.ts"
import { bzip2 } from "./Bzip2.ts"
import type { Judge } from "./Judge.ts"
import { dayMillis, dayNumberOf, dayOf, type Market, type Sale } from "./Market.ts"
import { type Answer, type Ask, json, secondsHeader, type Upstream } from "./Upstream.ts"

/** Cloudflare refused after about 55 requests at full speed (observed in October 2026). */
const requestsAllowed = 50
const allowedWithin = 10_000
const refusedFor = 30_000

const theForge = 10_000_002
const domain = 10_000_043

/** Files that are kept packed, as packing one takes a while. */
const mostPacked = 100

export const everef = (market: Market, archives: Archives, judge: Judge, speed: number): Upstream => {
  const requests = slidingWindow(Math.max(1, Math.round(requestsAllowed * speed)), allowedWithin)
  const packed = new Map<string, Buffer>()

  const answer = (ask: Ask): Answer => {
    if (requests.left(ask.at) === 0) {
      judge.accuse(ask, "budget", `more than ${requestsAllowed * speed} requests within ${allowedWithin / 1000} s`)
      const millis = refusedFor / speed
      return {
        status: 429,
        headers: { "content-type": "text/html", "retry-after": secondsHeader(millis, speed) },
        body: "<html><head><title>Just a moment...</title></head></html>",
        pause: { scope: "everef", millis }
      }
    }
    requests.spend(1, ask.at)
    if (ask.path === "/market-history/totals.json") return totals(ask)
    if (ask.path.startsWith("/killmails/")) return ofKillmails(ask)
    const year = /^\/market-history\/(\d{4})\/index\.json$/.exec(ask.path)?.[1]
    if (year !== undefined) return index(ask, year)
    const day = /^\/market-history\/(\d{4})\/market-history-(\1-\d\d-\d\d)\.csv\.bz2$/.exec(ask.path)?.[2]
    return day === undefined ? notFound : dayFile(ask, day)
  }

  const totals = (ask: Ask): Answer =>
    json(200, Object.fromEntries([...market.archivedDays(ask.at)].map(([day, sales]) => [dayOf(day), records(sales)])))

  const index = (ask: Ask, year: string): Answer => {
    const days = [...market.archivedDays(ask.at).keys()].map(dayOf).filter((day) => day.startsWith(year))
    return days.length === 0 ? notFound : json(200, {
      path: `market-history/${year}`,
      files: days.map((day) => ({
        name: `market-history-${day}.csv.bz2`,
        url: `https://data.everef.net/market-history/${year}/market-history-${day}.csv.bz2`,
        last_modified: new Date(dayNumberOf(day) * dayMillis + 2 * dayMillis).toISOString()
      })),
      directories: []
    })
  }

  const ofKillmails = (ask: Ask): Answer => {
    const counts = archives.counts()
    if (ask.path === "/killmails/totals.json") {
      return json(200, Object.fromEntries([...counts].map(([day, count]) => [day.replaceAll("-", ""), count])))
    }
    const year = /^\/killmails\/(\d{4})\/index\.json$/.exec(ask.path)?.[1]
    if (year !== undefined) return killmailIndex(year, [...counts.keys()].filter((day) => day.startsWith(year)))
    const day = /^\/killmails\/(\d{4})\/killmails-(\1-\d\d-\d\d)\.tar\.bz2$/.exec(ask.path)?.[2]
    const bytes = day && archives.file(day)
    return bytes ? fileOf(ask, bytes) : notFound
  }

  const dayFile = (ask: Ask, day: string): Answer => {
    const sales = market.archived(dayNumberOf(day), ask.at)
    if (sales === undefined) return notFound
    const text = csvOf(day, sales)
    const bytes = packed.get(text) ?? bzip2(Buffer.from(text))
    if (packed.size > mostPacked) packed.delete(packed.keys().next().value!)
    packed.set(text, bytes)
    return fileOf(ask, bytes)
  }

  return { name: "everef", environment: ["KILLMAILD_EVEREF_URL", "/everef"], scopeOf: () => "everef", answer }
}

/** All regions are in a file; here every tenth type is sold in another one, too. */
const isSoldInDomain = (_: Sale, index: number): boolean => index % 10 === 0
const records = (sales: number): number => sales + Math.ceil(sales / 10)

const csvOf = (day: string, sales: ReadonlyArray<Sale>): string => {
  const layout = layouts.find(({ until }) => day < until)!
  const rowOf = (region: number, factor: number) => ({ average, typeId }: Sale) => {
    const price = average * factor
    const row: Record<string, number | string> = {
      date: day,
      region_id: region,
      type_id: typeId,
      average: Math.round(price * 100) / 100,
      highest: Math.round(price * 110) / 100,
      lowest: Math.round(price * 90) / 100,
      order_count: 1 + typeId % 50,
      volume: 1 + typeId % 9_000,
      http_last_modified: `${dayOf(dayNumberOf(day) + 1)}T11:05:00Z`
    }
    return layout.columns.map((column) => row[column]).join()
  }
  const rows = [...sales.map(rowOf(theForge, 1)), ...sales.filter(isSoldInDomain).map(rowOf(domain, 1.1))]
  return [layout.columns.join(), ...rows].join("\n") + "\n"
}

const layouts = [
  { until: "2018-03-05", columns: "date,region_id,type_id,average,highest,lowest,volume,order_count" },
  { until: "2022-01-01", columns: "date,region_id,type_id,average,lowest,highest,volume,order_count" },
  { until: "9999", columns: "average,date,highest,lowest,order_count,volume,http_last_modified,region_id,type_id" }
].map(({ columns, until }) => ({ until, columns: columns.split(",") }))

const notFound: Answer = {
  status: 404,
  headers: { "content-type": "text/html" },
  body: "<html><head><title>404 Not Found</title></head><body><h1>Object not found</h1></body></html>"
}

const killmailIndex = (year: string, days: ReadonlyArray<string>): Answer =>
  days.length === 0 ? notFound : json(200, {
    path: `killmails/${year}`,
    files: days.map((day) => ({
      name: `killmails-${day}.tar.bz2`,
      url: `https://data.everef.net/killmails/${year}/killmails-${day}.tar.bz2`
    })),
    directories: []
  })

const fileOf = (ask: Ask, bytes: Buffer): Answer => {
  const etag = `"${createHash("md5").update(bytes).digest("hex")}"`
  const headers = { "content-type": "application/x-bzip2", etag, "cache-control": "public, max-age=300" }
  return ask.headers["if-none-match"] === etag ? { status: 304, headers } : { status: 200, headers, bytes }
}
