/** `killmaild database-url`: where the daemon's Postgres answers, for psql and any other client. */
import { Console, Effect, Option, Redacted } from "effect"
import { Command } from "effect/cli"
import { embeddedDirectory } from "../Daemon.ts"
import * as EmbeddedPostgres from "../postgres/EmbeddedPostgres.ts"
import { Settings } from "../Settings.ts"
import { fromEnvironment } from "./Environment.ts"
import { refuse } from "./Refusal.ts"

export const databaseUrl = Command.make("database-url", {}, () =>
  Effect.gen(function*() {
    const settings = yield* Settings
    if (Option.isSome(settings.databaseUrl)) {
      return yield* Console.log(Redacted.value(settings.databaseUrl.value))
    }
    const directory = embeddedDirectory(settings.dataDir)
    const url = yield* EmbeddedPostgres.urlOfRunning(directory)
    if (Option.isSome(url)) return yield* Console.log(url.value)
    return yield* refuse(
      `database-url: no Postgres runs on ${directory}, as it does while killmaild serves; for the demo's, set ` +
        "KILLMAILD_DATA_DIR=.killmaild/demo."
    )
  })).pipe(
    Command.withDescription("Print how to reach the daemon's Postgres with psql or any client, while it runs"),
    Command.provide(fromEnvironment)
  )
