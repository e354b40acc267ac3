import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { importFromEveRef, importFromFiles, type Progress } from "../../src/prices/ImportPrices.ts"
import { bzip2 } from "../../src/sandbox/Bzip2.ts"
import { impatient, makeWorld, rifter, tritanium } from "./PricesWorld.ts"

const january = { first: "2026-01-01", last: "2026-01-31" }

const header = "date,region_id,type_id,average,highest,lowest,volume,order_count"
const csvOf = (day: string, average: number) => `${header}\n${day},10000002,${tritanium},${average},9,1,5,1\n`

describe.concurrent("an import from EVE Ref", () => {
  it.live("brings the days of the range, oldest first, and says how far it is", () =>
    Effect.gen(function*() {
      const { filesAsked, pricesOf, sandbox, services } = yield* makeWorld()
      for (const day of ["2026-01-02", "2025-12-31", "2026-01-01", "2026-02-01"]) {
        sandbox.publishPrices(day, { [tritanium]: Number(day.slice(-2)), [rifter]: 400_000 })
      }
      const told: Array<Progress> = []
      const outcome = yield* importFromEveRef(january, {
        ...impatient,
        onProgress: (progress) => Effect.sync(() => told.push(progress))
      }).pipe(Effect.provide(services))
      assert.deepStrictEqual(outcome, { imported: 2, unchanged: 0, prices: 4, unreadable: [] })
      assert.deepStrictEqual(told, [{ done: 1, total: 2, prices: 2 }, { done: 2, total: 2, prices: 4 }])
      assert.deepStrictEqual(filesAsked(), ["2026-01-01 200", "2026-01-02 200"])
      assert.deepStrictEqual(yield* pricesOf(tritanium), [
        { day: "2026-01-01", average: 1, source: "everef" },
        { day: "2026-01-02", average: 2, source: "everef" }
      ])
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("asks for no file that is here, and for one that was edited", () =>
    Effect.gen(function*() {
      const { filesAsked, pricesOf, sandbox, services } = yield* makeWorld()
      const importJanuary = importFromEveRef(january, impatient).pipe(Effect.provide(services))
      sandbox.publishPrices("2026-01-01", { [tritanium]: 1 })
      sandbox.publishPrices("2026-01-02", { [tritanium]: 2 })
      yield* importJanuary
      assert.deepStrictEqual(yield* importJanuary, { imported: 0, unchanged: 2, prices: 0, unreadable: [] })
      sandbox.publishPrices("2026-01-01", { [tritanium]: 3, [rifter]: 400_000 })
      assert.deepStrictEqual(yield* importJanuary, { imported: 1, unchanged: 1, prices: 2, unreadable: [] })
      assert.deepStrictEqual(filesAsked(), ["2026-01-01 200", "2026-01-01 200", "2026-01-02 200"])
      assert.deepStrictEqual((yield* pricesOf(tritanium)).map(({ average }) => average), [3, 2])
    }))

  it.live("does not read a file again of which only the listing changed", () =>
    Effect.gen(function*() {
      const { filesAsked, sandbox, services, sql } = yield* makeWorld()
      const importJanuary = importFromEveRef(january, impatient).pipe(Effect.provide(services))
      sandbox.publishPrices("2026-01-01", { [tritanium]: 1 })
      yield* importJanuary
      yield* sql`update price_days set listed = 'something else'`
      assert.deepStrictEqual(yield* importJanuary, { imported: 0, unchanged: 1, prices: 0, unreadable: [] })
      assert.deepStrictEqual(yield* importJanuary, { imported: 0, unchanged: 1, prices: 0, unreadable: [] })
      assert.deepStrictEqual(filesAsked(), ["2026-01-01 200", "2026-01-01 304"])
    }))

  it.live("goes on where it was stopped", () =>
    Effect.gen(function*() {
      const { filesAsked, sandbox, services } = yield* makeWorld()
      for (let day = 1; day <= 4; day++) sandbox.publishPrices(`2026-01-0${day}`, { [tritanium]: day })
      const stopped = importFromEveRef(january, {
        ...impatient,
        onProgress: ({ done }) => done === 2 ? Effect.interrupt : Effect.void
      })
      yield* Effect.exit(stopped.pipe(Effect.provide(services)))
      const outcome = yield* importFromEveRef(january, impatient).pipe(Effect.provide(services))
      assert.deepInclude(outcome, { imported: 2, unchanged: 2 })
      for (const day of ["2026-01-01 200", "2026-01-02 200"]) {
        assert.strictEqual(filesAsked().filter((asked) => asked === day).length, 1)
      }
    }))

  it.live("goes on after a file that cannot be read or had, and tells of it", () =>
    Effect.gen(function*() {
      const { sandbox, services, imports } = yield* makeWorld()
      for (let day = 1; day <= 5; day++) sandbox.publishPrices(`2026-01-0${day}`, { [tritanium]: day })
      sandbox.intercept(({ path }) => path.includes("2026-01-02.") ? { truncate: true } : undefined)
      sandbox.intercept(({ path }) => path.includes("2026-01-03.") ? { body: "<html>maintenance</html>" } : undefined)
      sandbox.intercept(({ path }) => path.includes("2026-01-04.") ? { status: 500 } : undefined)
      const { imported, unreadable } = yield* importFromEveRef(january, impatient).pipe(Effect.provide(services))
      assert.strictEqual(imported, 2)
      assert.match(unreadable[0]!, /^market-history-2026-01-02\.csv\.bz2 cannot be unpacked/)
      assert.match(unreadable[1]!, /^market-history-2026-01-03\.csv\.bz2 cannot be unpacked/)
      assert.match(unreadable[2]!, /^EVE Ref did not serve .*2026-01-04\.csv\.bz2: it answered 500/)
      assert.deepStrictEqual([...(yield* imports.importedDays("2026-01-01", "2026-01-31")).keys()].toSorted(), [
        "2026-01-01",
        "2026-01-05"
      ])
    }))

  it.live("refuses a file that holds another day", () =>
    Effect.gen(function*() {
      const file = bzip2(Buffer.from(csvOf("2026-01-02", 2)))
      const server = createServer(({ url = "" }, response) =>
        response.end(url.endsWith("totals.json") ? JSON.stringify({ "2026-01-01": 1 }) : file)
      )
      yield* Effect.acquireRelease(
        Effect.promise(() => once(server.listen(0, "127.0.0.1"), "listening")),
        () => Effect.sync(() => server.close())
      )
      const { port } = server.address() as AddressInfo
      const { services } = yield* makeWorld({ KILLMAILD_EVEREF_URL: `http://127.0.0.1:${port}` })
      const { unreadable } = yield* importFromEveRef(january, impatient).pipe(Effect.provide(services))
      assert.deepStrictEqual(unreadable, [
        "market-history-2026-01-01.csv.bz2 holds 2026-01-02, wants 2026-01-01 alone."
      ])
    }))

  it.live("ends when EVE Ref has nothing for anybody", () =>
    Effect.gen(function*() {
      const { filesAsked, sandbox, services } = yield* makeWorld()
      for (let day = 1; day <= 9; day++) sandbox.publishPrices(`2026-01-0${day}`, { [tritanium]: day })
      sandbox.intercept(({ path }) => path.endsWith(".bz2") ? { status: 503 } : undefined)
      const error = yield* Effect.flip(importFromEveRef(january, impatient).pipe(Effect.provide(services)))
      assert.strictEqual(error._tag, "UpstreamUnavailable")
      assert.isBelow(new Set(filesAsked()).size, 6)
    }))

  it.live("waits as it is told to when EVE Ref refuses", () =>
    Effect.gen(function*() {
      const { sandbox, services } = yield* makeWorld()
      sandbox.publishPrices("2026-01-01", { [tritanium]: 1 })
      sandbox.intercept(({ count, path }) =>
        path.endsWith(".bz2") && count === 1 ? { status: 429, headers: { "retry-after": "0.3" } } : undefined
      )
      const pauses: Array<number> = []
      const outcome = yield* importFromEveRef(january, {
        ...impatient,
        onPause: ({ waitMillis }) =>
          Effect.andThen(Effect.sync(() => pauses.push(waitMillis)), Effect.sleep(waitMillis))
      }).pipe(Effect.provide(services))
      assert.deepInclude(outcome, { imported: 1 })
      assert.deepStrictEqual(pauses, [300])
      assert.deepStrictEqual(sandbox.violations(), [])
    }))
})

describe.concurrent("an import from files", () => {
  const directory = Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-prices-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )

  it.live("reads a directory and all below it, within the range, and nothing twice", () =>
    Effect.gen(function*() {
      const { pricesOf, sandbox, services } = yield* makeWorld()
      const path = yield* directory
      mkdirSync(join(path, "2026"))
      writeFileSync(join(path, "2026", "market-history-2026-01-02.csv.bz2"), bzip2(Buffer.from(csvOf("2026-01-02", 2))))
      writeFileSync(join(path, "market-history-2025-12-31.csv"), csvOf("2025-12-31", 1))
      writeFileSync(join(path, "some.csv"), csvOf("2026-01-03", 3) + csvOf("2026-02-03", 4).split("\n")[1] + "\n")
      writeFileSync(join(path, "notes.txt"), "of no use")
      const importJanuary = importFromFiles(path, january, impatient).pipe(Effect.provide(services))
      assert.deepStrictEqual(yield* importJanuary, { imported: 2, unchanged: 0, prices: 2, unreadable: [] })
      assert.deepStrictEqual((yield* pricesOf(tritanium)).map(({ day }) => day), ["2026-01-02", "2026-01-03"])
      assert.deepStrictEqual(yield* importJanuary, { imported: 0, unchanged: 2, prices: 0, unreadable: [] })
      assert.deepStrictEqual(sandbox.requests(), [])
    }))

  it.live("is known to an import from EVE Ref", () =>
    Effect.gen(function*() {
      const { everef, filesAsked, sandbox, services } = yield* makeWorld()
      sandbox.publishPrices("2026-01-02", { [tritanium]: 2 })
      const file = yield* everef.dayFile("2026-01-02", null)
      const path = yield* directory
      writeFileSync(join(path, "market-history-2026-01-02.csv.bz2"), typeof file === "string" ? "" : file.bytes)
      yield* importFromFiles(path, january, impatient).pipe(Effect.provide(services))
      const outcome = yield* importFromEveRef(january, impatient).pipe(Effect.provide(services))
      assert.deepInclude(outcome, { imported: 0, unchanged: 1 })
      assert.strictEqual(filesAsked().length, 1)
    }))

  it.live("tells what cannot be read, and reads the rest", () =>
    Effect.gen(function*() {
      const { services } = yield* makeWorld()
      const path = yield* directory
      writeFileSync(join(path, "a.csv"), "no prices")
      writeFileSync(join(path, "b.csv"), csvOf("2026-01-02", 2))
      const { imported, unreadable } = yield* importFromFiles(path, january, impatient).pipe(Effect.provide(services))
      assert.strictEqual(imported, 1)
      assert.match(unreadable[0]!, /^a\.csv: its first line names no column date/)
    }))

  it.live("refuses what is no market history, in one sentence", () =>
    Effect.gen(function*() {
      const { services } = yield* makeWorld()
      const path = yield* directory
      const problemOf = (path: string) =>
        Effect.map(
          Effect.flip(importFromFiles(path, january, impatient).pipe(Effect.provide(services))),
          ({ message }) => message
        )
      assert.match(yield* problemOf(path), /holds no market history, wants \*\.csv, /)
      writeFileSync(join(path, "a.txt"), "")
      assert.match(yield* problemOf(join(path, "a.txt")), /a\.txt holds no market history/)
      assert.match(yield* problemOf(join(path, "nowhere")), /nowhere cannot be read: ENOENT/)
    }))
})
