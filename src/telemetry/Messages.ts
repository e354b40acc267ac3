/** What operators read of a failure that was foreseen: its sentence, without the stack of a driver. */
import { Cause } from "effect"
import { SqlError } from "effect/sql"

export const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  if (SqlError.isSqlError(error) && error.reason.cause instanceof Error) {
    return `Postgres: ${error.reason.cause.message}`
  }
  return error instanceof Error ? error.message : String(error)
}
