/** What can go wrong with the embedded Postgres, as a sentence for whoever started killmaild. */
import { Effect, Schema } from "effect"

/** The embedded Postgres cannot run here. One sentence that says why, and what to do. Stops the start. */
export class EmbeddedPostgresError
  extends Schema.TaggedError<EmbeddedPostgresError>()("EmbeddedPostgresError", { message: Schema.String })
{}

/** Ends the sentences about machines on which the embedded Postgres cannot run at all. */
export const wayOut = "set DATABASE_URL to a PostgreSQL 18 server to do without the embedded one"

/** A step on the file system; `what` completes "Cannot …", and `advice` the sentence where there is some. */
export const attempt = <A>(
  what: string,
  step: () => Promise<A>,
  advice?: string
): Effect.Effect<A, EmbeddedPostgresError> =>
  Effect.tryPromise({
    try: step,
    catch: (cause) => {
      const ending = advice === undefined ? "." : `: ${advice}.`
      return new EmbeddedPostgresError({ message: `Cannot ${what}: ${reasonOf(cause)}${ending}` })
    }
  })

export const reasonOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)
