/** Looks whether what is stored is whole and true: all of a day, or a sample of everything. It repairs nothing. */
import { Clock, Effect, Option } from "effect"
import type { Day } from "../domain/Market.ts"
import { DataChecks, type Parts } from "../store/DataChecks.ts"
import { StaticDataImports } from "../store/StaticDataImports.ts"
import { beginRecomputation, type Cause, type FieldAgreement, type Recomputation, recompute } from "./Recomputation.ts"

/** One question, and what is wrong. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  /** What was found, a fault or not. */
  readonly finding: string
  /** Killmails, sequences, tables or jobs that are concerned, a few of them. */
  readonly examples: ReadonlyArray<number | string>
  /** How to repair it; none when all is well. */
  readonly hint: string | null
}

export interface Report {
  readonly day: Day | null
  /** How many were looked at, and about how many there are. */
  readonly killmails: number
  readonly stored: number
  readonly checks: ReadonlyArray<Check>
  readonly agreement: ReadonlyArray<FieldAgreement>
  /** The commonest first. */
  readonly causes: ReadonlyArray<Cause>
}

/** Of each kind of sample: the newest, of the ledger, of the tables. */
const sampleSize = 700
const batchSize = 500
const mostExamples = 5
const mostCauses = 12

/** Days that must have their tables before they come. */
const daysAhead = 60
/** EVE Ref has a day's prices a day later, seldom two. */
const mostPriceAge = 4
/** CCP publishes a build every few weeks. */
const mostStaticDataAge = 90
/** More is no rare thing that nobody trades, but days without prices. */
const mostUnpriced = 0.25

const dayMillis = 86_400_000

export const checkData = Effect.fn("checkData")(
  function*(day: Day | undefined, onProgress: (done: number, total: number) => Effect.Effect<void>) {
    const checks = yield* DataChecks
    const keys = yield* day === undefined ? checks.sample(sampleSize) : checks.ofDay(day)
    const parts: Array<Parts> = []
    const recomputation = beginRecomputation()
    for (let start = 0; start < keys.length; start += batchSize) {
      const batch = keys.slice(start, start + batchSize)
      parts.push(...yield* checks.parts(batch))
      yield* recompute(batch, recomputation)
      yield* onProgress(Math.min(keys.length, start + batchSize), keys.length)
    }
    const report: Report = {
      day: day ?? null,
      killmails: keys.length,
      stored: yield* checks.count,
      checks: [
        ...integrityOf(parts),
        ...yield* upkeep,
        ...yield* valuesOf(recomputation),
        yield* priceAge,
        yield* staticDataAge
      ],
      agreement: recomputation.agreement,
      causes: [...recomputation.causes.values()].toSorted((a, b) => b.killmails - a.killmails).slice(0, mostCauses)
    }
    return report
  }
)

const fine = (name: string, finding: string): Check => ({ name, ok: true, finding, examples: [], hint: null })

const fault = (name: string, finding: string, hint: string, examples: Check["examples"] = []): Check => ({
  name,
  ok: false,
  finding,
  examples: examples.slice(0, mostExamples),
  hint
})

const storeAgain =
  "restore a backup; without one, delete it from killmail_ledger, killmails, attackers and items, and " +
  "`killmaild add ID HASH` fetches it again, under a new sequence"

const integrityOf = (parts: ReadonlyArray<Parts>): ReadonlyArray<Check> => {
  const those = (isFaulty: (part: Parts) => boolean) => parts.filter(isFaulty).map(({ id }) => id)
  const bodiless = those(({ inKillmails }) => !inKillmails)
  const unlisted = those(({ inLedger }) => !inLedger)
  const attackers = those(({ hasAttackers, inKillmails }) => inKillmails && !hasAttackers)
  const items = those(({ hasItems, inKillmails }) => inKillmails && !hasItems)
  return [
    bodiless.length === 0
      ? fine("ledger", "every killmail of the ledger has its body")
      : fault("ledger", `${bodiless.length} killmails of the ledger have no body of their time`, storeAgain, bodiless),
    unlisted.length === 0
      ? fine("killmails", "every body is in the ledger")
      : fault(
        "killmails",
        `${unlisted.length} bodies are not in the ledger, and nobody sees them`,
        "delete them from killmails, attackers and items; `killmaild add ID HASH` stores them again",
        unlisted
      ),
    attackers.length === 0
      ? fine("attackers", "every killmail has the attackers that were counted")
      : fault(
        "attackers",
        `${attackers.length} killmails have other attackers than were counted`,
        storeAgain,
        attackers
      ),
    items.length === 0
      ? fine("items", "every item is there once, and so is its container")
      : fault("items", `${items.length} killmails lack items, or have some twice`, storeAgain, items)
  ]
}

const upkeep = Effect.gen(function*() {
  const checks = yield* DataChecks
  const sequences = yield* checks.missingSequences
  const tables = yield* checks.missingPartitions(daysAhead)
  const jobs = yield* checks.deadLocks
  return [
    sequences.length === 0
      ? fine("sequences", "publications are numbered without a hole")
      : fault(
        "sequences",
        "publications are missing, and whoever resumes would wait for them",
        "`killmaild restored` begins a new epoch, and clients start anew",
        sequences
      ),
    tables.length === 0
      ? fine("partitions", `the tables of the next ${daysAhead} days are there`)
      : fault(
        "partitions",
        `${tables.length} tables of the next ${daysAhead} days are missing`,
        "`killmaild migrate` creates them, and so does any daemon, hourly",
        tables
      ),
    jobs.length === 0
      ? fine("locks", "no job is locked by a dead process")
      : fault(
        "locks",
        `${jobs.length} jobs are locked by processes that are dead`,
        "`killmaild serve`: a running daemon takes them back within seconds",
        jobs
      )
  ]
})

const valueAnew =
  "in psql, `insert into price_arrivals (first_day) values ('the day of the kill')`: a running daemon " +
  "values 34 days of killmails anew"

const valuesOf = Effect.fnUntraced(function*({ killmails, provisional, stale, unpriced, unvalued }: Recomputation) {
  const isRevaluing = yield* (yield* DataChecks).isRevaluing
  const share = killmails === 0 ? 0 : unpriced / killmails
  const lacking = `${(100 * share).toFixed(1)} % of the killmails hold a type without a price`
  return [
    unvalued.length === 0
      ? fine("valued", `every killmail is valued, ${provisional} of ${killmails} without all static data`)
      : fault("valued", `${unvalued.length} of ${killmails} killmails are not valued`, valueAnew, unvalued),
    stale.length === 0
      ? fine("values", `${killmails} killmails are worth and mean what they would now`)
      : isRevaluing
      ? fine("values", `${stale.length} of ${killmails} killmails would be valued otherwise now, and wait for that`)
      : fault("values", `${stale.length} of ${killmails} killmails would be valued otherwise now`, valueAnew, stale),
    share <= mostUnpriced
      ? fine("prices", lacking)
      : fault("prices", lacking, "`killmaild prices import` brings the prices of all days, `--start-date` of some")
  ]
})

const ageOf = (then: number) => Effect.map(Clock.currentTimeMillis, (now) => Math.floor((now - then) / dayMillis))

const priceAge = Effect.gen(function*() {
  const hint = "`killmaild prices refresh`: its errors say why the daemon, which does so daily, cannot"
  const newest = yield* (yield* DataChecks).newestPriceDay
  if (newest === null) return fault("price age", "no prices were imported", hint)
  const age = yield* ageOf(Date.parse(newest))
  const finding = `the newest prices are of ${newest}, ${age} days ago`
  return age <= mostPriceAge ? fine("price age", finding) : fault("price age", finding, hint)
})

const staticDataAge = Effect.gen(function*() {
  const hint = "`killmaild static-data import`: its errors say why the daemon, which looks daily, cannot"
  const last = yield* (yield* StaticDataImports).last
  if (Option.isNone(last)) return fault("static data", "CCP's static data were not imported", hint)
  const { build, importedAt, releasedAt } = last.value
  const age = yield* ageOf((releasedAt ?? importedAt).getTime())
  const finding = `CCP's static data are of build ${build ?? "unknown"}, ${age} days old`
  return age <= mostStaticDataAge ? fine("static data", finding) : fault("static data", finding, hint)
})
