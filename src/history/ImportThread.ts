/**
 * The thread that imports archives, one at a time: a day of New Eden takes seconds of computing, in which no live killmail
 * would move. It has its own connections; all of them bear the name of the process's, so that they end with it.
 */
import "effect/schema/SchemaJITCompiler/enable"
import { Cause, Exit, Layer, ManagedRuntime, Redacted } from "effect"
import { SqlError } from "effect/sql"
import { constants, setPriority } from "node:os"
import { parentPort, workerData } from "node:worker_threads"
import { Appraiser } from "../intake/Appraiser.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { Prices } from "../prices/Prices.ts"
import { StaticData } from "../static-data/StaticData.ts"
import * as Database from "../store/Database.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { Imports } from "../store/Imports.ts"
import { KillmailCopy } from "../store/KillmailCopy.ts"
import { PriceStore } from "../store/PriceStore.ts"
import { StaticDataStore } from "../store/StaticDataStore.ts"
import { type Archive, importArchive, type Outcome } from "./ImportArchive.ts"

export interface ThreadData {
  readonly databaseUrl: string
  readonly applicationName: string
}

export type FromThread =
  | { readonly type: "imported"; readonly outcome: Outcome }
  /** Postgres, or this program: the archive has no part in it. What is passing may be tried again at once. */
  | { readonly type: "failed"; readonly message: string; readonly isPassing: boolean }

// Whatever is live goes first. Elsewhere than on Linux it would be the priority of the whole process.
if (process.platform === "linux") setPriority(constants.priority.PRIORITY_LOW)

const { applicationName, databaseUrl } = workerData as ThreadData
const url = Redacted.make(databaseUrl)

const runtime = ManagedRuntime.make(
  Layer.mergeAll(Appraiser.layer, KillmailCopy.layer).pipe(
    Layer.provide([Prices.layer, StaticData.layer]),
    Layer.provideMerge(
      Layer.mergeAll(PriceStore.layer, StaticDataStore.layer, Imports.layer, FeedStore.layer, JobQueue.layer)
    ),
    Layer.provide(Database.layer(url, applicationName))
  )
)

parentPort?.on("message", (archive: Archive) => {
  void runtime.runPromiseExit(importArchive(archive)).then((exit) => {
    const answer: FromThread = Exit.isSuccess(exit)
      ? { type: "imported", outcome: exit.value }
      : failed(exit.cause)
    parentPort?.postMessage(answer)
  })
})

const failed = (cause: Cause.Cause<unknown>): FromThread => {
  const error = Cause.squash(cause)
  return SqlError.isSqlError(error)
    ? { type: "failed", message: `Postgres: ${Database.causeText(error)}.`, isPassing: Database.isPassing(error) }
    : { type: "failed", message: Cause.pretty(cause), isPassing: false }
}
