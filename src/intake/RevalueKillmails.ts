/**
 * Killmails that are valued anew, because prices arrived or the static data came to know what was lost: who they are is
 * noticed here, and each is appraised again as if it had just been heard of.
 */
import { Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { toEsi } from "../domain/Document.ts"
import type { Day } from "../domain/Market.ts"
import * as Job from "../jobs/Job.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { handle } from "../jobs/JobRunner.ts"
import { Prices } from "../prices/Prices.ts"
import { Settings } from "../Settings.ts"
import { type PriceArrival, PriceStore } from "../store/PriceStore.ts"
import { type Concerned, type KillmailKey, Revaluations } from "../store/Revaluations.ts"
import { StaticDataStore } from "../store/StaticDataStore.ts"
import { Appraiser } from "./Appraiser.ts"

const Types = Schema.Struct({ typeIds: Schema.Array(Schema.Int), since: Schema.String })
const ConcernedSchema = Schema.Union([
  Schema.Struct({ day: Schema.String }),
  Types,
  Schema.Struct({ provisional: Schema.Literal(true) })
])

export const RevalueKillmails = Job.make<Concerned>({
  name: "revalue_killmails",
  payload: ConcernedSchema,
  key: (by) =>
    "day" in by
      ? `revalue:${by.day}`
      : "typeIds" in by
      ? `revalue:${by.since}:${by.typeIds.join()}`
      : "revalue:provisional",
  tier: "repair",
  deadlineMillis: 30 * 60_000
})

/** Killmails of one job; the busiest day of New Eden had some 60,000. */
const most = 100_000
/** Killmails in one transaction. */
const batchSize = 200

export const revalueKillmails = handle(RevalueKillmails, (by) =>
  Effect.gen(function*() {
    const revaluations = yield* Revaluations
    const prices = yield* Prices
    yield* prices.refresh
    const keys = yield* revaluations.concerned(by, most)
    let changed = 0
    for (let start = 0; start < keys.length; start += batchSize) {
      changed += yield* revalue(keys.slice(start, start + batchSize))
    }
    return { looked_at: keys.length, changed }
  }).pipe(
    Effect.mapError((error) => new Job.JobFailed({ reason: "database", message: error.message })),
    Effect.interruptible
  ))

const revalue = Effect.fnUntraced(function*(keys: ReadonlyArray<KillmailKey>) {
  const revaluations = yield* Revaluations
  const appraiser = yield* Appraiser
  const timeOf = new Map(keys.map(({ id, time }) => [id, time]))
  const rows = yield* revaluations.read(keys)
  const batch = yield* Effect.forEach(rows, (row) =>
    Effect.map(appraiser.appraise(toEsi(row)), (appraisal) => ({
      key: { id: row.killmail_id, time: timeOf.get(row.killmail_id)! },
      appraisal
    })))
  return yield* revaluations.apply(batch)
})

/** A day's average counts as long as it is among the 34 newest: for most types, that is so many days. */
const daysOfInfluence = 34
const dayMillis = 86_400_000

/** What an arrival of prices concerns: of a whole day all killmails that it prices, of a few types what lost them. */
export const concernedBy = ({ firstDay, typeIds }: PriceArrival, today: Day): ReadonlyArray<Concerned> => {
  if (typeIds !== null) return [{ typeIds, since: firstDay }]
  const first = Date.parse(firstDay)
  const days = Math.min(daysOfInfluence, (Date.parse(today) - first) / dayMillis + 1)
  return Array.from({ length: Math.max(0, days) }, (_, later) => ({
    day: new Date(first + later * dayMillis).toISOString().slice(0, 10)
  }))
}

/** Arrivals that are looked at together: a day that several of them concern is one job. */
const arrivalsAtOnce = 100

/** Looks for what has arrived, every few seconds, and adds the jobs in the transaction that takes it off the list. */
export const noticeArrivals = Layer.effectDiscard(Effect.gen(function*() {
  const queue = yield* JobQueue
  const prices = yield* PriceStore
  const staticData = yield* StaticDataStore
  const { scheduleSpeed } = yield* Settings
  let knownVersion: unknown

  const noticePrices = prices.handArrivals(arrivalsAtOnce, (arrivals) => {
    const today = new Date().toISOString().slice(0, 10)
    const jobs = new Map(
      arrivals.flatMap((arrival) => concernedBy(arrival, today)).map((by) => [RevalueKillmails.key(by), by])
    )
    return Effect.forEach(jobs.values(), (by) => queue.add(RevalueKillmails, by), { discard: true })
  })

  const noticeStaticData: Effect.Effect<void, SqlError.SqlError> = Effect.gen(function*() {
    const version = yield* staticData.version
    if (version === knownVersion) return
    yield* queue.add(RevalueKillmails, { provisional: true })
    knownVersion = version
  })

  yield* Effect.forkScoped(
    Effect.andThen(Effect.ignore(noticePrices), Effect.ignore(noticeStaticData)).pipe(
      Effect.andThen(Effect.sleep(5000 / scheduleSpeed)),
      Effect.forever
    )
  )
}))
