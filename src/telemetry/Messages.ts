/** What operators read of a failure that was foreseen: its sentence, without the stack of a driver. */
import { Cause } from "effect"

export const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}
