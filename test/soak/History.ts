/** Days of the past that are imported while all the rest goes on, each of a month that is not there yet. */
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { hashOf } from "../../src/domain/Killmail.ts"
import { ImportDay } from "../../src/history/ImportDay.ts"
import { mostThreads } from "../../src/history/Importer.ts"
import { JobQueue } from "../../src/jobs/JobQueue.ts"
import { killmailsOfDay, memberOf } from "../../src/sandbox/Archives.ts"
import { expectMails } from "./Audit.ts"
import { type Rig, until } from "./Rig.ts"

const mailsADay = 40
/** Between two events, so that whatever happens, happens in the middle of some. */
const daysAtOnce = 2

/** Has EVE Ref publish the days that belong to this event, and the daemon import them. */
export const importSomeDays = Effect.fnUntraced(function*(rig: Rig, seed: string, event: number) {
  const days = Array.from({ length: daysAtOnce }, (_, index) => event * daysAtOnce + index).map((number) => {
    const day = new Date(Date.UTC(2008, number, 15)).toISOString().slice(0, 10)
    return { day, mails: killmailsOfDay(seed, day, number * mailsADay, mailsADay) }
  })
  for (const { day, mails } of days) {
    yield* onDatabase(rig, expectMails(mails.map((killmail) => ({ killmail, hash: hashOf(killmail) })), []))
    rig.sandbox.publishArchive(day, mails.map(memberOf))
  }
  yield* onQueue(
    rig,
    (queue) =>
      queue.addAll(ImportDay, days.map(({ day }) => ({ source: "everef" as const, day })), { atOnce: mostThreads })
  )
})

/** An upstream that errs three times in a row has to be asked again by an operator. */
export const allIsImported = (rig: Rig) =>
  until(
    "the past to be imported",
    onQueue(rig, (queue) => queue.retryFailed(ImportDay.name)).pipe(
      Effect.andThen(rig.sql`select from graphile_worker.jobs where task_identifier = ${ImportDay.name}`),
      Effect.map((jobs) => jobs.length === 0 ? true : undefined)
    )
  )

const onDatabase = <A, E, R>({ sql }: Rig, effect: Effect.Effect<A, E, R>) =>
  Effect.provideService(effect, SqlClient.SqlClient, sql)

/** Postgres may be away just now. */
const onQueue = <A, E>(rig: Rig, work: (queue: JobQueue["Service"]) => Effect.Effect<A, E>) =>
  until(
    "the queue to take what is to be imported",
    Effect.gen(function*() {
      const services = yield* onDatabase(rig, Layer.build(JobQueue.layer))
      return [yield* work(Context.get(services, JobQueue))]
    }).pipe(Effect.scoped)
  )
