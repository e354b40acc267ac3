/** What does not fit the contract: a request is told where and why in one sentence, an answer of ours is our fault. */
import { Cause, Effect, ErrorReporter, SchemaIssue } from "effect"
import { HttpServerRespondable } from "effect/http"
import { HttpApiError, HttpApiMiddleware } from "effect/http-api"

const missing = "Is missing"

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => {
    if (issue._tag === "MissingKey") return missing
    return issue._tag === "UnexpectedKey" ? "There is no such field" : SchemaIssue.defaultLeafHook(issue)
  }
})

interface Issue {
  readonly path: ReadonlyArray<string | number>
  readonly message: string
}

const issuesOf = ({ cause }: HttpApiError.HttpApiSchemaError): ReadonlyArray<Issue> =>
  formatIssues(cause.issue).issues.map(({ message, path = [] }) => ({
    path: path.map((segment) => typeof segment === "object" ? String(segment.key) : String(segment)),
    message: message.replaceAll(/\s+/g, " ").slice(0, 300)
  }))

/** "limit: expected a value less than or equal to 1000, got 1001." */
const sentenceOf = ({ message, path }: Issue, part: string): string =>
  `${path.length === 0 ? part : path.join(".")}: ${message.charAt(0).toLowerCase()}${message.slice(1)}.`

/** `Params`, `Query`, `Headers` and `Payload` are the client's. */
export const layer = HttpApiMiddleware.layerSchemaErrorTransform(HttpApiMiddleware.ProblemDetails, (error) => {
  if (error.kind === "Body" || error.kind === "ResponseHeaders") {
    return Effect.andThen(
      ErrorReporter.report(Cause.fail(error)),
      HttpServerRespondable.toResponse(new HttpApiError.InternalServerErrorProblem())
    )
  }
  const part = error.kind.toLowerCase()
  const issues = issuesOf(error)
  // Of a union each member has its own: a field that was given says more of what was meant than one that was not.
  const told = issues.find(({ message }) => message !== missing) ?? issues[0]
  return Effect.fail(
    new HttpApiError.BadRequestProblem({
      detail: told === undefined ? `The ${part} cannot be read.` : sentenceOf(told, part),
      errors: issues.map(({ message, path }) => ({ path: [part, ...path], message }))
    })
  )
})
