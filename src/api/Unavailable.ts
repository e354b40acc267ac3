/** What an endpoint answers while the database does not. */
import { type Cause, Effect } from "effect"
import type { SqlError } from "effect/sql"
import { publicSeconds, sqlState } from "../store/Database.ts"
import { within } from "../store/Deadline.ts"
import { countError } from "../telemetry/Metrics.ts"
import { Unavailable } from "./ApiErrors.ts"

/** The database must answer a request within this. */
const deadline = "5 seconds"

/** SQLSTATE of a statement that was stopped, as it took longer than a public one may. */
const queryCanceled = "57014"
/** The class of SQLSTATE of a value that Postgres cannot take: the contract should have refused it, so it is a defect. */
const dataException = "22"

/** The database is not there, or is too slow: that is our fault and passes, so 503. The client learns no more. */
export const unavailable = <A, R>(effect: Effect.Effect<A, SqlError.SqlError, R>): Effect.Effect<A, Unavailable, R> =>
  Effect.catch(within(deadline)(effect), databaseAway)

export const databaseAway = (error: SqlError.SqlError | Cause.TimeoutError): Effect.Effect<never, Unavailable> => {
  const state = error._tag === "SqlError" ? sqlState(error) : undefined
  if (state === queryCanceled) return Effect.andThen(countError("api", "slow_query"), Effect.fail(tooSlow))
  if (state?.startsWith(dataException) === true) return Effect.die(error)
  return Effect.logError("The database failed a request", error).pipe(
    Effect.andThen(countError("api", "database")),
    Effect.andThen(Effect.fail(new Unavailable({ detail: "The database cannot be reached; try again shortly." })))
  )
}

const tooSlow = new Unavailable({
  detail: `The query took more than ${publicSeconds} seconds: ask for less time (since, until), or for a character, ` +
    "corporation, alliance or system."
})
