/** What an endpoint answers while the database does not. */
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { within } from "../store/Deadline.ts"
import { countError } from "../telemetry/Metrics.ts"
import { Unavailable } from "./ApiErrors.ts"

/** The database must answer a request within this. */
const deadline = "5 seconds"

/** The database is not there: that is our fault and passes, so 503. The client learns no more. */
export const unavailable = <A, R>(effect: Effect.Effect<A, SqlError.SqlError, R>): Effect.Effect<A, Unavailable, R> =>
  Effect.catch(
    within(deadline)(effect),
    (error) =>
      Effect.logError("The database failed a request", error).pipe(
        Effect.andThen(countError("api", "database")),
        Effect.andThen(Effect.fail(new Unavailable({ detail: "The database cannot be reached; try again shortly." })))
      )
  )
