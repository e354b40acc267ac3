/** How an error is told: in one sentence with a code, and nothing of our inside. */
import { Effect, Predicate } from "effect"
import { GraphQLError } from "graphql"
import { countError } from "../../telemetry/Metrics.ts"

/** By the names of ApiErrors.ts. */
const codes: Readonly<Record<string, string>> = {
  BadRequest: "BAD_USER_INPUT",
  Unauthorized: "UNAUTHENTICATED",
  Conflict: "CONFLICT",
  Unavailable: "SERVICE_UNAVAILABLE"
}

interface Problem {
  readonly _tag: string
  readonly detail: string
}
const isProblem = (error: unknown): error is Problem =>
  Predicate.hasProperty(error, "_tag") && Predicate.hasProperty(error, "detail") && String(error._tag) in codes

/** `report` gets what is a fault of ours. */
export const toldBy = (report: (fault: Effect.Effect<void>) => void) => (error: Error): GraphQLError => {
  // What a resolver threw, or why the request could not be read at all.
  if (!(error instanceof GraphQLError)) {
    return new GraphQLError(`The request is no question of GraphQL: ${error.message}.`)
  }
  const origin = error.originalError ?? error.cause
  if (origin === undefined || origin instanceof GraphQLError) return error
  const { nodes, path } = error
  if (isProblem(origin)) {
    return new GraphQLError(origin.detail, { nodes, path, extensions: { code: codes[origin._tag] } })
  }
  report(Effect.andThen(Effect.logError("A field of GraphQL failed", origin), countError("api", "defect")))
  return new GraphQLError("That is a fault of killmaild; its log says more.", {
    nodes,
    path,
    extensions: { code: "INTERNAL_SERVER_ERROR" }
  })
}
