/**
 * A backfill, as an operator starts one: `backfill everef` beside the daemon, which takes its part in it, and a queue full of
 * old killmails without bodies, for which ESI would have to be asked, whose budget is spent.
 */
import { Effect, Redacted } from "effect"
import { spawn } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { hearingOf } from "../intake/Hearing.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { Leases } from "../store/Leases.ts"
import { RateLimits } from "../store/RateLimits.ts"
import { writeArchives } from "./Archived.ts"
import { BenchmarkFailed, Ground } from "./Ground.ts"
import { heardOf } from "./LivePath.ts"
import { takeMails } from "./Mails.ts"

const feed = "history"
/** Killmails without bodies, and those that are heard of in one transaction. */
const bodiless = 3000
const heardAtOnce = 100
/** Killmails of one archive: a quiet day's. */
const killmailsADay = 5000

const main = join(import.meta.dirname, "../main.ts")

const archivesIn = (directory: string): string => join(directory, "archives")

/** Writes the archives of so many killmails. */
export const prepareBackfill = Effect.fnUntraced(function*(killmails: number) {
  const archives = archivesIn((yield* Ground).directory)
  mkdirSync(archives)
  yield* writeArchives(archives, Math.ceil(killmails / killmailsADay), killmailsADay)
})

/** Of ESI's group `killmail`, for as long as a benchmark takes. */
const spendBudget = Effect.flatMap(
  RateLimits,
  (limits) => limits.observe({ bucket: "esi:killmail", limit: 3600, windowMillis: 900_000, remaining: 0 })
)

/** Until the scope closes; fails when it is done before. */
export const backfill = Effect.gen(function*() {
  const { databaseUrl, directory } = yield* Ground
  const feeds = yield* FeedStore
  yield* spendBudget
  const lease = yield* (yield* Leases).acquire(feed)
  for (let heard = 0; heard < bodiless; heard += heardAtOnce) {
    const bare = takeMails(heardAtOnce).map((mail) => ({ ...heardOf(mail), body: undefined }))
    yield* feeds.hear(lease, bare.map((mail) => hearingOf(feed, "backfill", mail)), heard)
  }
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [main, "backfill", "everef", "--json", "--path", archivesIn(directory)], {
        stdio: ["ignore", "ignore", "inherit"],
        env: { ...process.env, DATABASE_URL: Redacted.value(databaseUrl), KILLMAILD_DATA_DIR: directory }
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGTERM"))
  )
  return Effect.callback<never, BenchmarkFailed>((resume) => {
    child.once(
      "exit",
      () =>
        resume(
          Effect.fail(
            new BenchmarkFailed({ message: "The backfill ended before the benchmark: its archives are too small." })
          )
        )
    )
  })
})
