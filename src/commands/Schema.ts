/** `killmaild migrate` and `killmaild restored`: the schema, and what a restored backup means for it. */
import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import * as Database from "../store/Database.ts"
import { stores } from "./OnDatabase.ts"

export const migrate = Command.make("migrate", {}, () => Console.log("The schema is up to date.")).pipe(
  Command.withDescription("Prepare the database's schema, as serve does by itself"),
  Command.provide(stores)
)

export const restored = Command.make(
  "restored",
  {},
  () =>
    Effect.andThen(
      Database.renewEpoch,
      Console.log("A new epoch has begun: clients will not resume across the restore.")
    )
).pipe(
  Command.withDescription(
    "Say that the database was restored from a backup: sequences may repeat, so a new epoch begins"
  ),
  Command.provide(stores)
)
