/**
 * `benchmark import`: how fast history comes in, from packed archives to rows that are committed and indexed, beside a COPY
 * of the same killmails, already read, into tables with all indexes; what memory it takes, and what disk.
 */
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { readArchives, writeArchives } from "./Archived.ts"
import { copy, prepareMonths } from "./Copy.ts"
import { cpuOfTree } from "./Cpu.ts"
import { prepareFacts } from "./Facts.ts"
import { BenchmarkFailed, Ground, type Machine } from "./Ground.ts"
import type { Throughput } from "./Ingest.ts"
import { median } from "./Quantiles.ts"

export interface Plan {
  /** Days to make up, and killmails of each. */
  readonly days: number
  readonly killmails: number
  /** A directory of archives, instead. */
  readonly path: string | undefined
}

export interface DiskUse {
  readonly table: string
  /** Bytes a killmail. */
  readonly rows: number
  readonly indexes: number
}

export interface ImportReport {
  readonly benchmark: "import"
  readonly machine: Machine
  readonly killmails: number
  readonly imported: Throughput
  /** Before and after. */
  readonly copies: ReadonlyArray<Throughput>
  /** The import's rate as a share of the copies'. */
  readonly ratio: number
  /** Of all processes but Postgres, at its peak; null where nothing tells. */
  readonly peakMegabytes: number | null
  readonly disk: ReadonlyArray<DiskUse>
  /** Killmails a second in each tenth of the import: how it changes as tables grow. */
  readonly tenths: ReadonlyArray<number>
}

/** Killmails of one COPY: some seconds. */
const referenceSize = 15_000
/** Between two looks at how far it is. */
const look = "200 millis"

const main = join(import.meta.dirname, "../main.ts")

export const importHistory = Effect.fnUntraced(function*(plan: Plan, tell: (step: string) => Effect.Effect<void>) {
  const { directory, machine, settle } = yield* Ground
  const archives = plan.path ?? join(directory, "archives")
  if (plan.path === undefined) {
    yield* tell(`archives of ${plan.days} days with ${plan.killmails} killmails each are written`)
    mkdirSync(archives)
    yield* writeArchives(archives, plan.days, plan.killmails)
  }
  yield* tell("the tables learn what things are and cost")
  yield* prepareFacts
  const mails = yield* readArchives(archives, 2 * referenceSize)
  if (mails.length < 4) return yield* new BenchmarkFailed({ message: `${archives} holds no killmails.` })
  const half = mails.length >> 1
  yield* prepareMonths(mails)

  yield* tell("COPY")
  const before = yield* copied(mails.slice(0, half))
  yield* settle
  yield* tell("import")
  const imported = yield* runImport(archives)
  yield* settle
  yield* tell("COPY again")
  const after = yield* copied(mails.slice(half))
  const copies = [before, after]
  return {
    benchmark: "import",
    machine,
    ...imported,
    copies,
    ratio: 2 * imported.imported.perSecond / (before.perSecond + after.perSecond),
    disk: yield* diskUse(imported.killmails)
  } satisfies ImportReport as ImportReport
})

const copied = (mails: Parameters<typeof copy>[0]) =>
  Effect.gen(function*() {
    const { postgresCpu } = yield* Ground
    const began = performance.now()
    const [node, postgres] = [process.cpuUsage(), yield* postgresCpu]
    yield* copy(mails)
    const seconds = (performance.now() - began) / 1000
    const { system, user } = process.cpuUsage(node)
    return throughputOf(mails.length, seconds, (system + user) / 1000, difference(postgres, yield* postgresCpu))
  })

/** CPU in milliseconds. */
const throughputOf = (
  killmails: number,
  seconds: number,
  node: number | undefined,
  postgres: number | undefined
): Throughput => {
  const micros = (millis: number | undefined) => millis === undefined ? null : Math.round(millis * 1000 / killmails)
  return { perSecond: Math.round(killmails / seconds), nodeMicros: micros(node), postgresMicros: micros(postgres) }
}

const difference = (before: number | undefined, after: number | undefined): number | undefined =>
  before === undefined || after === undefined ? undefined : after - before

/** The command, as an operator runs it, on this database. */
const runImport = Effect.fnUntraced(function*(archives: string) {
  const sql = yield* SqlClient.SqlClient
  const { databaseUrl, directory, postgresCpu } = yield* Ground
  const postgresBefore = yield* postgresCpu
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [main, "backfill", "everef", "--json", "--path", archives], {
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, DATABASE_URL: Redacted.value(databaseUrl), KILLMAILD_DATA_DIR: directory }
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  let said = ""
  child.stdout.on("data", (data: Buffer) => said += data.toString())
  const ended = once(child, "close")
  const points: Array<readonly [millis: number, killmails: number]> = []
  let peakMegabytes: number | null = null
  let nodeMillis: number | undefined
  while (child.exitCode === null) {
    const [row] = yield* sql<{ killmails: number }>`select coalesce(sum(killmails), 0)::int as killmails from imports`
    points.push([performance.now(), row!.killmails])
    peakMegabytes = peakOf(child.pid!) ?? peakMegabytes
    nodeMillis = cpuOfTree(child.pid!) ?? nodeMillis
    yield* Effect.sleep(look)
  }
  yield* Effect.promise(() => ended)
  if (child.exitCode !== 0) return yield* new BenchmarkFailed({ message: "The import did not end well." })
  const { killmails, seconds } = JSON.parse(said) as { readonly killmails: number; readonly seconds: number }
  return {
    killmails,
    imported: throughputOf(killmails, seconds, nodeMillis, difference(postgresBefore, yield* postgresCpu)),
    peakMegabytes,
    tenths: tenthsOf(points, killmails)
  }
}, Effect.scoped)

/** Resident memory at its peak, in megabytes. */
const peakOf = (pid: number): number | undefined => {
  try {
    const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
    return kilobytes === undefined ? undefined : Math.round(Number(kilobytes) / 1000)
  } catch {
    return undefined
  }
}

const tenthsOf = (points: ReadonlyArray<readonly [millis: number, killmails: number]>, total: number) => {
  const timeOf = (killmails: number): number => points.find((point) => point[1] >= killmails)?.[0] ?? points.at(-1)![0]
  const begin = points.findLast((point) => point[1] === 0)?.[0] ?? points[0]![0]
  const times = Array.from({ length: 11 }, (_, tenth) => tenth === 0 ? begin : timeOf(total * tenth / 10))
  return times.slice(1).map((time, tenth) => Math.round(total / 10 / Math.max(1, time - times[tenth]!) * 1000))
}

/** The last three tenths beside the first three: 0.1 is a tenth slower. */
export const lossOf = (tenths: ReadonlyArray<number>): number =>
  1 - median(tenths.slice(-3)) / median(tenths.slice(0, 3))

/** Of the months that were imported: the reference's are ten years older. */
const diskUse = Effect.fnUntraced(function*(killmails: number) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ table: string; rows: number; indexes: number }>`
    with leaves as (
      select parent, relid from unnest(array['killmails', 'attackers', 'items']) parent, pg_partition_tree(parent::regclass)
      where isleaf and substring(relid::text from '\\d{4}')::int > 2017
      union all
      select 'killmail_ledger', 'killmail_ledger'::regclass
    )
    select parent as "table", sum(pg_table_size(relid))::float8 as rows, sum(pg_indexes_size(relid))::float8 as indexes
    from leaves
    group by parent
    order by array_position(array['killmails', 'attackers', 'items', 'killmail_ledger'], parent)`
  return rows.map(({ indexes, rows, table }): DiskUse => ({
    table,
    rows: Math.round(rows / killmails),
    indexes: Math.round(indexes / killmails)
  }))
})
