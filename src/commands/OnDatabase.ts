/** Where commands find Postgres: as set, the one that the daemon runs now, or the embedded one, run for as long as needed. */
import { Effect, Layer, Option, Redacted } from "effect"
import { DatabaseUrl, embeddedDirectory, storesOn } from "../Daemon.ts"
import * as EmbeddedPostgres from "../postgres/EmbeddedPostgres.ts"
import { Settings } from "../Settings.ts"
import { fromEnvironment } from "./Environment.ts"

const runningOrOwn = Layer.unwrap(Effect.gen(function*() {
  const { databaseUrl, dataDir } = yield* Settings
  if (Option.isSome(databaseUrl)) return DatabaseUrl.layer
  const running = yield* EmbeddedPostgres.urlOfRunning(embeddedDirectory(dataDir))
  return Option.match(running, {
    onNone: () => DatabaseUrl.layer,
    onSome: (url) => Layer.succeed(DatabaseUrl, Redacted.make(url))
  })
}))

/** The stores, on a database with this program's schema, and the settings. Provided once what was asked makes sense. */
export const stores = storesOn(runningOrOwn).pipe(Layer.provideMerge(fromEnvironment))
